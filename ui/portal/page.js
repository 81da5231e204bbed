/* Joins a worker's page to the portal around it: says that somebody is at work, and takes the
 * keyboard when the page, fetched ahead and out of sight until then, is shown. */
(() => {
  "use strict";
  let said = 0;
  for (const kind of ["keydown", "pointerdown", "wheel", "touchmove"]) {
    addEventListener(kind, () => {
      if (Date.now() - said < 10_000) return;
      said = Date.now();
      parent.postMessage({ tessera: "active" }, "*");
    }, { capture: true, passive: true });
  }
  // A frame out of sight can take the keyboard from the one in sight: what asks for it here waits.
  let shown = false, wanted = null;
  const focus = HTMLElement.prototype.focus;
  HTMLElement.prototype.focus = function (...how) {
    if (shown) focus.apply(this, how);
    else wanted = this;
  };
  const FIRST = ["[autofocus]", "main [tabindex='0']", "[tabindex='0']", "input:not([type=hidden])", "button"];
  addEventListener("message", event => {
    if (event.source !== parent || event.data?.tessera !== "show") return;
    shown = true;
    dispatchEvent(new Event("resize")); // what was laid out unseen is laid out again
    (wanted ?? FIRST.map(selector => document.querySelector(selector)).find(Boolean))?.focus({ preventScroll: true });
  });
  // Amazon's own crowd-form sends to a page around it that it knows; here that page is the portal.
  document.addEventListener("all-crowd-elements-ready", () => {
    for (const form of document.querySelectorAll("crowd-form")) {
      if (!form._serializeForm) continue; // the stand-in sends by itself
      form._submitHelperForm = () => {
        const [answer] = JSON.parse(form._serializeForm().taskAnswers);
        parent.postMessage({ tessera: "answer", answer }, "*");
      };
    }
  });
  document.addEventListener("DOMContentLoaded", () => parent.postMessage({ tessera: "ready" }, "*"));
})();
