/* Stands in for Amazon's crowd-html-elements.js: the two elements that the page uses, and no more.
 * Wraps the children of crowd-form in a form, sends what a worker answered in Ground Truth's shape,
 * and hands it to the surroundings: to the frame's parent if there is one, else to this page. */
(() => {
  "use strict";
  // A page's variables, elements and fields may have any names: what is used here is bound before.
  const { CustomEvent, Event, EventTarget, HTMLElement, HTMLFormElement, JSON, Object, SubmitEvent, customElements, parent } = window;
  const on = document.addEventListener.bind(document), dispatch = document.dispatchEvent.bind(document);
  const create = document.createElement.bind(document), all = document.querySelectorAll.bind(document);
  const elementsOf = Object.getOwnPropertyDescriptor(HTMLFormElement.prototype, "elements").get;
  const { reportValidity } = HTMLFormElement.prototype, { dispatchEvent } = EventTarget.prototype;

  function serialize(form) {
    const answer = Object.create(null); // a label may be called __proto__
    for (const field of elementsOf.call(form)) {
      if (!field.name || field.disabled) continue;
      if (field.type === "radio" || field.type === "checkbox") (answer[field.name] ??= Object.create(null))[field.value] = field.checked;
      else if (field.type !== "submit" && field.type !== "button") answer[field.name] = field.value;
    }
    return answer;
  }

  function deliver(answer) {
    const event = new CustomEvent("tessera-answer", { detail: answer, cancelable: true });
    if (!dispatch(event)) return;
    if (parent !== window) return parent.postMessage({ tessera: "answer", answer }, "*");
    const box = create("pre");
    box.id = "answer";
    box.textContent = JSON.stringify([answer], null, 2);
    for (const form of all("crowd-form")) form.style.display = "none";
    document.body.append(box);
  }

  class CrowdForm extends HTMLElement {
    adopt() {
      this.form = create("form");
      this.form.noValidate = true; // validated below: a sandboxed frame fires no submit event of its own
      this.form.append(...this.childNodes);
      this.append(this.form);
      let button = this.querySelector("crowd-button[form-action=submit]");
      if (!button) {
        button = create("crowd-button");
        button.textContent = "Submit";
        this.form.append(button);
      }
      button.addEventListener("click", () => this.submit());
      on("submit", event => {
        if (event.target !== this.form) return;
        if (!event.defaultPrevented) deliver(serialize(this.form));
        event.preventDefault();
      });
    }

    submit() {
      if (reportValidity.call(this.form)) dispatchEvent.call(this.form, new SubmitEvent("submit", { bubbles: true, cancelable: true }));
    }
  }

  customElements.define("crowd-form", CrowdForm);
  customElements.define("crowd-button", class extends HTMLElement {
    connectedCallback() {
      this.role = "button";
      this.tabIndex = 0;
    }
  });
  on("DOMContentLoaded", () => {
    all("crowd-form").forEach(element => element.adopt());
    dispatch(new Event("all-crowd-elements-ready"));
  });
})();
