/* Joins a worker's page to the portal around it: says that somebody is at work, takes the keyboard
 * when the page, fetched ahead and out of sight until then, is shown, and passes on what the two ask
 * of each other (see ui/README.md). */
(() => {
  "use strict";
  // A page's variables, elements and fields may have any names: what is used here is bound before.
  const { Boolean, CustomEvent, Date, Document, Event, HTMLElement, JSON, Math, Object, addEventListener, dispatchEvent, parent: portal } = window;
  const { head } = document;
  const on = document.addEventListener.bind(document), dispatch = document.dispatchEvent.bind(document);
  const find = document.querySelector.bind(document), all = document.querySelectorAll.bind(document);
  const create = document.createElement.bind(document);
  const focused = Object.getOwnPropertyDescriptor(Document.prototype, "activeElement").get.bind(document);
  const send = (kind, content) => portal.postMessage({ tessera: kind, ...content }, "*");
  let lastActive = 0;
  for (const kind of ["keydown", "pointerdown", "wheel", "touchmove"]) {
    addEventListener(kind, () => {
      if (Math.abs(Date.now() - lastActive) < 10_000) return; // a clock may be set back, too
      lastActive = Date.now();
      send("active");
    }, { capture: true, passive: true });
  }
  // What the page asks, and what the portal answers: events in here, messages out there.
  for (const question of ["refresh", "keep", "first", "begun"]) {
    on(`tessera-${question}`, ({ detail }) => send(question, { detail }));
  }
  const NEWS = ["addresses", "draft", "choices", "flags", "welcome"];
  addEventListener("message", ({ source, data }) => {
    if (source !== portal || !NEWS.includes(data?.tessera)) return;
    dispatch(new CustomEvent(`tessera-${data.tessera}`, { detail: data.detail }));
  });
  // A practice page: each label is told right or wrong as it is given, on whatever page keeps the
  // contract: radios named by image, in an element with its `data-id`.
  function startPractice(labels) {
    const given = {};
    const style = create("style");
    style.textContent = `[data-practice] { outline: 4px solid; outline-offset: -1px }
      [data-practice=right] { outline-color: #0a6b2d } [data-practice=wrong] { outline-color: #b3001b; outline-style: dashed }`;
    head.append(style);
    const look = () => {
      for (const [name, label] of Object.entries(labels)) {
        const choice = find(`[name="${name}"]:checked`)?.value;
        if (choice === given[name]) continue;
        given[name] = choice;
        const element = find(`[data-id="${name}"]`);
        if (choice === undefined) { element?.removeAttribute("data-practice"); continue; }
        element?.setAttribute("data-practice", choice === label ? "right" : "wrong");
        send("practiced", { detail: { name, choice } });
      }
    };
    for (const kind of ["tessera-keep", "change"]) on(kind, look);
  }
  addEventListener("message", ({ source, data }) => {
    if (source === portal && data?.tessera === "practice") startPractice(data.detail);
  });
  // A frame out of sight can take the keyboard from the one in sight: what asks for it here waits.
  let shown = false, wanted = null;
  const focus = HTMLElement.prototype.focus;
  HTMLElement.prototype.focus = function (...how) {
    if (shown) focus.apply(this, how);
    else wanted = this;
  };
  const FIRST = ["[autofocus]", "main [tabindex='0']", "[tabindex='0']", "input:not([type=hidden])", "button"];
  addEventListener("message", event => {
    if (event.source !== portal || event.data?.tessera !== "show") return;
    shown = true;
    dispatchEvent(new Event("resize")); // what was laid out unseen is laid out again
    dispatch(new CustomEvent("tessera-show"));
    // Of a page that was in front before, what had the keyboard then: the next key is for that.
    const had = focused()?.matches("body *") ? focused() : null;
    (wanted ?? had ?? FIRST.map(selector => find(selector)).find(Boolean))?.focus({ preventScroll: true });
    wanted = null;
  });
  // A link would put another page in the place of this one, with the labels on it: the portal offers
  // to open it in a tab of its own.
  for (const kind of ["click", "auxclick"]) {
    addEventListener(kind, event => {
      const link = event.composedPath().find(node => /^(a|area)$/.test(node.localName) && node.href);
      const href = link?.href.baseVal ?? link?.href;
      if (!href || link.getAttribute("href")?.startsWith("#")) return;
      event.preventDefault();
      send("link", { href });
    }, { capture: true });
  }
  // Amazon's own crowd-form sends to a page around it that it knows; here that page is the portal.
  on("all-crowd-elements-ready", () => {
    for (const form of all("crowd-form")) {
      if (!form._serializeForm) continue; // the stand-in sends by itself
      form._submitHelperForm = () => {
        const [answer] = JSON.parse(form._serializeForm().taskAnswers);
        send("answer", { answer });
      };
    }
  });
  on("DOMContentLoaded", () => send("ready"));
})();
