/* Stands in for Amazon's crowd-html-elements.js: the two elements that the page uses, and no more.
 * Wraps the children of crowd-form in a form, sends what a worker answered in Ground Truth's shape,
 * and hands it to the surroundings: to the frame's parent if there is one, else to this page. */
(() => {
  "use strict";

  function serialize(form) {
    const answer = Object.create(null); // a label may be called __proto__
    for (const field of form.elements) {
      if (!field.name || field.disabled) continue;
      if (field.type === "radio" || field.type === "checkbox") (answer[field.name] ??= Object.create(null))[field.value] = field.checked;
      else if (field.type !== "submit" && field.type !== "button") answer[field.name] = field.value;
    }
    return answer;
  }

  function deliver(answer) {
    const event = new CustomEvent("tessera-answer", { detail: answer, cancelable: true });
    if (!document.dispatchEvent(event)) return;
    if (window.parent !== window) return window.parent.postMessage({ tessera: "answer", answer }, "*");
    const box = document.createElement("pre");
    box.id = "answer";
    box.textContent = JSON.stringify([answer], null, 2);
    for (const form of document.querySelectorAll("crowd-form")) form.style.display = "none";
    document.body.append(box);
  }

  class CrowdForm extends HTMLElement {
    adopt() {
      this.form = document.createElement("form");
      this.form.noValidate = true; // validated below: a sandboxed frame fires no submit event of its own
      this.form.append(...this.childNodes);
      this.append(this.form);
      let button = this.querySelector("crowd-button[form-action=submit]");
      if (!button) {
        button = document.createElement("crowd-button");
        button.textContent = "Submit";
        this.form.append(button);
      }
      button.addEventListener("click", () => this.submit());
      document.addEventListener("submit", event => {
        if (event.target !== this.form) return;
        if (!event.defaultPrevented) deliver(serialize(this.form));
        event.preventDefault();
      });
    }

    submit() {
      if (this.form.reportValidity()) this.form.dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true }));
    }
  }

  customElements.define("crowd-form", CrowdForm);
  customElements.define("crowd-button", class extends HTMLElement {
    connectedCallback() {
      this.role = "button";
      this.tabIndex = 0;
    }
  });
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("crowd-form").forEach(element => element.adopt());
    document.dispatchEvent(new Event("all-crowd-elements-ready"));
  });
})();
