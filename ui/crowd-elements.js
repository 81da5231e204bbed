/* Stands in for Amazon's crowd-html-elements.js in templates that were written for Ground Truth: the
 * elements that a form is made of, without those that draw. Loaded for such templates alone; the
 * built-in page has crowd-form.js. Each element answers in the form that Ground Truth documents. */
(() => {
  "use strict";
  // A page's variables, elements and fields may have any names: what is used here is bound before.
  const { Array, Boolean, CustomEvent, Event, EventTarget, HTMLElement, HTMLFormElement, JSON, Map, Number, Object, RegExp, String, SubmitEvent, URL } = window;
  const { customElements, parent: portal, queueMicrotask, setTimeout } = window, { head } = document;
  const on = document.addEventListener.bind(document), dispatch = document.dispatchEvent.bind(document);
  const create = document.createElement.bind(document), all = document.querySelectorAll.bind(document), createNS = document.createElementNS.bind(document);
  const { addEventListener, dispatchEvent } = EventTarget.prototype, { reset } = HTMLFormElement.prototype;
  const isSet = value => value !== undefined && value !== null;

  // ── Attributes ─────────────────────────────────────────────────────────────────────────────────

  // Attributes hold JSON, or JavaScript's laxer way of it: ['Cat', "Dog"] and { text: 'None' }.
  const TOKEN = /\s*(?:([[\]{}:,])|"((?:[^"\\]|\\[^])*)"|'((?:[^'\\]|\\[^])*)'|([^\s[\]{}:,"']+))\s*/y;
  const PLAIN = /^(?:true|false|null|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/i;

  function parseLax(text) {
    try { return JSON.parse(text); } catch { /* the laxer way */ }
    let json = "";
    for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.length;) {
      const token = TOKEN.exec(text);
      if (!token) return undefined;
      const [, mark, double, single, bare] = token;
      if (mark) json = /[\]}]/.test(mark) ? json.replace(/,$/, "") + mark : json + mark;
      else if (bare !== undefined) json += PLAIN.test(bare) ? bare : JSON.stringify(bare);
      else json += JSON.stringify((double ?? single).replace(/\\(["'\\/])/g, "$1").replace(/\\n/g, "\n"));
    }
    try { return JSON.parse(json); } catch { return undefined; }
  }

  const isOn = (element, name) => element.hasAttribute(name) && element.getAttribute(name) !== "false";

  // ── What all elements share ────────────────────────────────────────────────────────────────────

  const BASE = `:host { display: block; font: inherit; color: inherit } :host([hidden]) { display: none }
    :focus-visible { outline: 3px solid #0b5cad; outline-offset: 2px }
    [role=alert] { color: #a30b20 } [role=alert]:empty { display: none }
    input, textarea, button { font: inherit; color: inherit }`;

  let count = 0; // names of controls inside an element must differ from element to element

  function make(tag, attributes = {}, ...children) {
    const element = create(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) element.setAttribute(name, "");
      else if (isSet(value) && value !== false) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  class CrowdElement extends HTMLElement {
    static observedAttributes = ["disabled", "categories", "value", "checked"];

    constructor() {
      super();
      this.id_ = `crowd-${++count}`;
      // delegatesFocus: a click on the element, or its focus(), comes to the control inside
      this.attachShadow({ mode: "open", delegatesFocus: this.constructor.control === true });
      // A script may have set these before the element was defined: its own properties hide ours.
      for (const name of ["value", "checked", "disabled", "categories"]) {
        if (!Object.hasOwn(this, name)) continue;
        const value = this[name];
        delete this[name];
        queueMicrotask(() => { this[name] = value; });
      }
    }

    connectedCallback() {
      if (this.built) return;
      this.built = true;
      this.shadowRoot.append(make("style", {}, BASE + (this.constructor.style ?? "")));
      this.build(this.shadowRoot);
    }

    attributeChangedCallback(name) { if (this.built) this.changed?.(name); }

    get name() { return this.getAttribute("name") ?? ""; }
    set name(name) { this.setAttribute("name", name); }
    get disabled() { return isOn(this, "disabled"); }
    set disabled(disabled) { this.toggleAttribute("disabled", Boolean(disabled)); }
    get required() { return isOn(this, "required"); }

    notify() { this.dispatchEvent(new Event("change", { bubbles: true, composed: true })); }

    /* Returns whether the element may be handed in as it is, and says what is missing if not. */
    reportValidity() {
      const problem = this.disabled ? "" : this.problem?.() ?? "";
      if (this.warning) this.warning.textContent = problem;
      if (problem) this.focus();
      return !problem;
    }
  }

  // ── Choices ────────────────────────────────────────────────────────────────────────────────────

  const CHOICES = `
    .frame { display: flex; flex-wrap: wrap; gap: 24px; align-items: flex-start }
    .annotation-area { flex: 3 1 360px; min-width: 0; display: flex; flex-wrap: wrap; gap: 16px }
    .target { flex: 1 1 300px; min-width: 0 } .sheet { position: relative; display: inline-block; max-width: 100% }
    .sheet > img { display: block; max-width: 100%; max-height: 75vh }
    .sheet > .over { position: absolute; inset: 0; width: 100%; height: 100% } .sheet > img.over { opacity: .5; max-height: none }
    .instructions { flex: 1 1 200px; max-width: 320px }
    h2 { font-size: 1.15em; margin: 0 0 12px } fieldset { border: 0; margin: 0; padding: 0; min-width: 160px } legend { font-weight: 600; padding: 0; margin-bottom: 8px }
    label { display: flex; gap: 8px; align-items: center; padding: 8px 12px; margin-bottom: 4px; border: 1px solid #767676; border-radius: 6px; cursor: pointer; background: #fff; color: #16191f }
    label:has(:checked) { border-color: #0b5cad; box-shadow: inset 0 0 0 1px #0b5cad } label:has(:disabled) { color: #595959 }
    kbd { margin-left: auto; font: inherit; font-size: .85em; color: #595959 }`;

  class Classifier extends CrowdElement {
    static control = true;
    static style = CHOICES;
    static several = false;
    static picture = false;

    build(root) {
      this.options = make("fieldset");
      this.warning = make("p", { role: "alert" });
      const picker = make("div", { class: "category-picker-wrapper" }, this.options, this.warning);
      this.area = make("div", { class: "annotation-area" }, this.constructor.picture ? this.drawPicture() : make("div", { class: "target" }, make("slot", { name: "classification-target" }), make("slot")), picker);
      const header = this.getAttribute("header");
      if (header) root.append(make("h2", { id: "header" }, header));
      const frame = make("div", { class: "frame" }, this.area);
      if (this.querySelector("short-instructions, full-instructions")) frame.append(instructionsOf(this));
      root.append(frame);
      for (const part of this.children) if (part.localName === "classification-target") part.slot = part.localName;
      this.options.addEventListener("change", event => {
        event.stopPropagation();
        this.choose(event.target);
      });
      this.draw();
    }

    drawPicture() {
      const header = this.getAttribute("header") ?? "the picture";
      const image = make("img", { src: this.getAttribute("src"), alt: this.getAttribute("alt") ?? `Picture: ${header}` });
      const sheet = make("div", { class: "sheet" }, image);
      const overlay = parseLax(this.getAttribute("overlay") ?? "");
      if (overlay?.semanticSegmentation?.src) sheet.append(make("img", { class: "over", src: overlay.semanticSegmentation.src, alt: "" }));
      const boxes = overlay?.boundingBox?.value;
      if (Array.isArray(boxes)) image.addEventListener("load", () => drawBoxes(sheet, image, boxes));
      return make("div", { class: "target" }, sheet);
    }

    draw() {
      const legend = make("legend", {}, this.constructor.several ? "Choose all that apply" : "Choose one");
      const kind = this.constructor.several ? "checkbox" : "radio";
      const rows = this.categories.map((category, at) => {
        const input = make("input", { type: kind, name: this.id_, value: category, disabled: this.disabled });
        const key = at < 9 ? make("kbd", { "aria-hidden": "true" }, String(at + 1)) : "";
        return make("label", {}, input, make("span", {}, category), key);
      });
      const none = this.exclusion;
      if (none) {
        this.none = make("input", { type: kind, name: this.id_, value: none, disabled: this.disabled });
        rows.push(make("label", {}, this.none, make("span", {}, none)));
      }
      this.options.replaceChildren(legend, ...rows);
    }

    changed(name) {
      if (name === "categories") this.draw();
      if (name === "disabled") for (const input of this.inputs) input.disabled = this.disabled;
    }

    choose(input) {
      // "None of the above" and a label of those above are no answer together.
      if (this.none && input.checked) for (const other of this.inputs) if ((other === this.none) !== (input === this.none)) other.checked = false;
      this.warning.textContent = "";
      this.notify();
    }

    get inputs() { return [...this.options.querySelectorAll("input")]; }
    get exclusion() {
      const given = parseLax(this.getAttribute("exclusion-category") ?? "");
      return this.constructor.several && given ? String(given.text ?? given) : "";
    }
    get categories() {
      const given = parseLax(this.getAttribute("categories") ?? "[]");
      return Array.isArray(given) ? given.map(String) : [];
    }
    set categories(categories) { this.setAttribute("categories", JSON.stringify(categories)); }
    get chosen() { return this.inputs.filter(input => input.checked).map(input => input.value); }
    get value() { return this.constructor.several ? this.chosen : this.chosen[0]; }
    get answered() { return this.inputs.some(input => input.checked); }
    get _submittableValue() {
      if (!this.answered) return undefined;
      return this.constructor.several ? { labels: this.chosen } : { label: this.chosen[0] };
    }
    problem() { return this.answered ? "" : this.constructor.several ? "Please choose at least one." : "Please choose one."; }
  }

  function drawBoxes(sheet, image, boxes) {
    const SVG = "http://www.w3.org/2000/svg", svg = createNS(SVG, "svg");
    svg.setAttribute("class", "over");
    svg.setAttribute("viewBox", `0 0 ${image.naturalWidth} ${image.naturalHeight}`);
    for (const box of boxes) {
      const rectangle = createNS(SVG, "rect"), title = createNS(SVG, "title");
      for (const [attribute, value] of Object.entries({ x: box.left, y: box.top, width: box.width, height: box.height, fill: "none", stroke: "#d13212", "stroke-width": 3, "vector-effect": "non-scaling-stroke" })) rectangle.setAttribute(attribute, value);
      title.textContent = box.label ?? "";
      rectangle.append(title);
      svg.append(rectangle);
    }
    sheet.append(svg);
  }

  function instructionsOf(element) {
    const box = make("div", { class: "instructions" });
    for (const part of element.children) {
      if (!["short-instructions", "full-instructions"].includes(part.localName)) continue;
      part.slot = part.localName;
      const slot = make("slot", { name: part.localName });
      const title = part.getAttribute("header") || "Full instructions";
      box.append(part.localName === "short-instructions" ? slot : make("details", {}, make("summary", {}, title), slot));
    }
    return box;
  }

  // Digits choose a category where there is one classifier and nobody is writing.
  on("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || !/^[1-9]$/.test(event.key)) return;
    const field = event.composedPath()[0];
    if (/^(select|textarea)$/.test(field.localName) || (field.localName === "input" && !/^(radio|checkbox|button)$/.test(field.type)) || field.isContentEditable) return;
    const [classifier, second] = [...all("*")].filter(element => element instanceof Classifier);
    if (!classifier || second || classifier.disabled) return;
    classifier.inputs[Number(event.key) - 1]?.click();
  });

  // ── Fields ─────────────────────────────────────────────────────────────────────────────────────

  const FIELD = `label { display: block; margin: 8px 0 4px } input, textarea { box-sizing: border-box; width: 100%; max-width: 640px; padding: 8px; border: 1px solid #767676; border-radius: 6px; background: #fff; color: #16191f } small { color: #595959 }`;

  class Field extends CrowdElement {
    static control = true;
    static style = FIELD;

    build(root) {
      const text = this.getAttribute("label") ?? this.getAttribute("placeholder") ?? this.textContent.trim() ?? "";
      this.control = this.makeControl();
      this.control.id = "control";
      this.control.setAttribute("aria-describedby", "warning");
      if (this.getAttribute("label")) root.append(make("label", { for: "control" }, text));
      else this.control.setAttribute("aria-label", this.getAttribute("aria-label") || text || this.name || "Answer");
      this.warning = make("p", { role: "alert", id: "warning" });
      root.append(this.control, this.warning);
      this.control.value = this.getAttribute("value") ?? "";
      this.control.disabled = this.disabled;
      this.control.addEventListener("change", () => this.notify()); // change does not leave a shadow
      this.control.addEventListener("input", () => {
        if (this.warning.textContent || isOn(this, "auto-validate")) this.warning.textContent = this.problem();
      });
      if (isOn(this, "auto-focus")) queueMicrotask(() => this.control.focus());
    }

    changed(name) {
      if (name === "disabled") this.control.disabled = this.disabled;
      if (name === "value") this.control.value = this.getAttribute("value") ?? "";
    }

    get value() { return this.control?.value ?? this.getAttribute("value") ?? ""; }
    set value(value) { if (this.control) this.control.value = value; else this.setAttribute("value", value); }
    get answered() { return this.value.trim() !== ""; }
    get _submittableValue() { return this.value; }
    limits() {
      return { placeholder: this.getAttribute("placeholder"), maxlength: this.getAttribute("max-length") ?? this.getAttribute("maxlength"), required: this.required, "aria-required": this.required ? "true" : null };
    }
    problem() {
      const message = this.getAttribute("error-message");
      if (!this.answered) return this.required ? message || "Please fill this in." : "";
      const least = Number(this.getAttribute("min-length") ?? 0), pattern = this.getAttribute("allowed-pattern");
      if (this.value.length < least) return message || `Please write at least ${least} characters.`;
      if (!this.control.checkValidity()) return message || this.control.validationMessage;
      try {
        if (pattern && ![...this.value].every(character => new RegExp(pattern, "u").test(character))) return message || "This has characters that are not allowed here.";
      } catch { /* not a pattern: it allows everything */ }
      return "";
    }
  }

  class Input extends Field {
    makeControl() {
      const control = make("input", { ...this.limits(), type: this.getAttribute("type") ?? "text" });
      control.addEventListener("keydown", event => {
        if (event.key === "Enter" && !event.isComposing) this.closest("crowd-form")?.submit();
      });
      return control;
    }
  }

  class TextArea extends Field {
    makeControl() {
      const control = make("textarea", { ...this.limits(), rows: this.getAttribute("rows") ?? 4 });
      if (!isOn(this, "char-counter")) return control;
      const counter = make("small");
      control.addEventListener("input", () => { counter.textContent = String(control.value.length); });
      queueMicrotask(() => control.after(counter));
      return control;
    }
  }

  class Slider extends CrowdElement {
    static control = true;
    static style = `input { width: 100%; max-width: 480px } output { font-weight: 600; margin-left: 8px } div { display: flex; align-items: center }`;

    build(root) {
      const bound = name => this.getAttribute(name);
      const label = this.getAttribute("label") ?? this.getAttribute("aria-label") ?? this.name;
      // the type last: a range takes on a value of its own as soon as it is one
      this.input = make("input", { min: bound("min") ?? 0, max: bound("max") ?? 100, step: bound("step") ?? 1, type: "range", "aria-label": label || "Value", "aria-describedby": "warning" });
      if (bound("value") !== null) this.input.value = bound("value");
      this.moved = bound("value") !== null; // a slider that nobody moved says nothing
      this.output = make("output", {}, this.moved ? this.input.value : "–");
      this.warning = make("p", { role: "alert", id: "warning" });
      root.append(make("div", {}, this.input, this.output), this.warning);
      this.input.disabled = this.disabled;
      for (const kind of ["input", "change", "click", "keydown"]) {
        this.input.addEventListener(kind, event => {
          // where it stands already may be what is meant: a key says so too
          if (kind === "keydown" && !/^(Enter| |Home|End|Arrow.*|Page.*)$/.test(event.key)) return;
          this.moved = true;
          this.warning.textContent = "";
          this.output.textContent = this.input.value;
          if (kind === "change") this.notify();
        });
      }
    }

    changed(name) {
      if (name === "disabled") this.input.disabled = this.disabled;
      if (name === "value") this.value = this.getAttribute("value");
    }

    get value() { return this.moved ? Number(this.input.value) : undefined; }
    set value(value) {
      this.input.value = value;
      this.moved = true;
      this.output.textContent = this.input.value;
    }
    get answered() { return Boolean(this.moved); }
    get _submittableValue() { return this.value; }
    problem() { return this.required && !this.moved ? "Please choose a value." : ""; }
  }

  // Checkbox, toggle button and radio button: a native control, its label the element's own text.
  const CHECK = `label { display: inline-flex; gap: 8px; align-items: center; padding: 4px 0; cursor: pointer } input { width: 18px; height: 18px; margin: 0 } label:has(:disabled) { color: #595959 }`;

  class Checkbox extends CrowdElement {
    static control = true;
    static style = CHECK;
    static kind = "checkbox";

    build(root) {
      this.input = make("input", { type: this.constructor.kind, checked: isOn(this, "checked"), disabled: this.disabled, "aria-describedby": "warning" });
      this.warning = make("p", { role: "alert", id: "warning" });
      root.append(make("label", {}, this.input, make("span", {}, make("slot"))), this.warning);
      this.input.addEventListener("change", event => {
        event.stopPropagation();
        this.warning.textContent = "";
        this.picked?.();
        this.notify();
      });
    }

    changed(name) {
      if (name === "disabled") this.input.disabled = this.disabled;
      if (name === "checked") this.input.checked = isOn(this, "checked");
    }

    get checked() { return this.input?.checked ?? isOn(this, "checked"); }
    set checked(checked) { if (this.input) this.input.checked = Boolean(checked); else this.toggleAttribute("checked", Boolean(checked)); }
    get value() { return this.getAttribute("value") ?? "on"; }
    set value(value) { this.setAttribute("value", value); }
    get answered() { return this.checked; }
    get _submittableValue() { return { [this.value]: this.checked }; }
    problem() { return this.required && !this.checked ? "Please tick this." : ""; }
  }

  class ToggleButton extends Checkbox {
    build(root) {
      super.build(root);
      this.input.setAttribute("role", "switch");
    }
  }

  class RadioButton extends Checkbox {
    static kind = "radio";

    // The buttons of a group are in shadows of their own, so that the browser sees no group.
    build(root) {
      super.build(root);
      this.input.addEventListener("keydown", event => {
        const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
        const group = this.group.filter(button => !button.disabled);
        if (!step || group.length < 2) return;
        event.preventDefault();
        const next = group[(group.indexOf(this) + step + group.length) % group.length];
        next.checked = true;
        next.focus();
        next.picked();
        next.notify();
      });
    }

    get group() {
      const around = this.closest("crowd-radio-group");
      const buttons = [...(around ? around.querySelectorAll("crowd-radio-button") : all("crowd-radio-button"))];
      return around ? buttons : buttons.filter(button => button.name === this.name && !button.closest("crowd-radio-group"));
    }
    picked() {
      for (const other of this.group) if (other !== this) other.checked = false;
      this.closest("crowd-radio-group")?.picked();
    }
  }

  class RadioGroup extends CrowdElement {
    build(root) {
      this.role = "radiogroup";
      this.setAttribute("aria-label", this.getAttribute("aria-label") ?? this.getAttribute("label") ?? "Choose one");
      this.warning = make("p", { role: "alert" });
      root.append(make("slot"), this.warning);
    }
    get buttons() { return [...this.querySelectorAll("crowd-radio-button")]; }
    get selected() { return this.buttons.find(button => button.checked)?.value; }
    get value() { return this.selected; }
    picked() { this.warning.textContent = ""; }
    focus() { this.buttons[0]?.focus(); }
    problem() {
      const isEmpty = this.buttons.length > 0 && !this.buttons.some(button => button.checked);
      return isEmpty && !isOn(this, "allow-empty-selection") ? "Please choose one." : "";
    }
  }

  // ── Surroundings ───────────────────────────────────────────────────────────────────────────────

  const BUTTON = `button { padding: 8px 20px; border: 1px solid #545b64; border-radius: 6px; background: #fff; color: #16191f; cursor: pointer; text-decoration: none }
    :host([variant=primary]) button { background: #0b5cad; border-color: #0b5cad; color: #fff } :host([variant=link]) button { border-color: transparent; color: #0b5cad; text-decoration: underline } button:disabled { background: #e9ebed; color: #595959; border-color: #8d8d8d }
    :host { display: inline-block }`;

  class Button extends CrowdElement {
    static control = true;
    static style = BUTTON;

    build(root) {
      const href = this.getAttribute("href");
      this.button = make("button", { type: "button", "aria-label": this.textContent.trim() ? null : this.getAttribute("label") ?? this.getAttribute("icon") ?? "Button" }, make("slot"));
      root.append(this.button);
      this.changed();
      this.addEventListener("click", () => {
        if (this.disabled) return;
        const form = this.closest("crowd-form"), action = this.getAttribute("form-action");
        if (href) portal.postMessage({ tessera: "link", href: new URL(href, document.baseURI).href }, "*");
        else if (action === "submit") form?.submit();
        else if (action === "reset") form?.reset();
      });
    }

    changed() { this.button.disabled = this.disabled || isOn(this, "loading"); }
  }

  const ALERT = `:host { border: 1px solid; border-left-width: 6px; border-radius: 6px; padding: 12px; margin: 8px 0; border-color: #0b5cad; background: #f1f7fd; color: #16191f }
    :host([type=error]) { border-color: #a30b20; background: #fdf3f1 } :host([type=warning]) { border-color: #8a5300; background: #fdf8ec } :host([type=success]) { border-color: #1d6f2b; background: #f2f8f0 } button { float: right; border: 0; background: none; cursor: pointer }`;

  class Alert extends CrowdElement {
    static style = ALERT;
    build(root) {
      this.role = this.getAttribute("type") === "error" ? "alert" : "status";
      if (isOn(this, "dismissible")) {
        const close = make("button", { type: "button", "aria-label": "Close" }, "✕");
        close.addEventListener("click", () => this.remove());
        root.append(close);
      }
      root.append(make("slot"));
    }
  }

  const LINK = `button { padding: 6px 14px; border: 1px solid #0b5cad; border-radius: 6px; background: #fff; color: #0b5cad; cursor: pointer } dialog { max-width: 720px; border: 1px solid #545b64; border-radius: 8px; padding: 20px; color: #16191f; background: #fff } h3 { margin: 12px 0 4px; font-size: 1em }`;

  /* Opens the element's content in a dialog, by a button or a link: modals and instructions. */
  class Opened extends CrowdElement {
    static style = LINK;
    build(root) {
      const opener = make("button", { type: "button" }, this.getAttribute("link-text") ?? this.constructor.text);
      const close = make("button", { type: "button" }, "Close");
      this.dialog = make("dialog", { "aria-label": this.getAttribute("link-text") ?? this.constructor.text }, ...this.content(), make("p", {}, close));
      opener.addEventListener("click", () => this.open());
      close.addEventListener("click", () => this.close());
      root.append(opener, this.dialog);
    }
    content() { return [make("slot")]; }
    open() { this.dialog.showModal(); }
    close() { this.dialog.close(); }
  }

  class Modal extends Opened { static text = "Open"; }

  class Instructions extends Opened {
    static text = "View instructions";
    static parts = { "short-summary": "Summary", "detailed-instructions": "Instructions", "positive-example": "Good example", "negative-example": "Bad example" };
    content() {
      const children = [...this.children];
      return Object.entries(Instructions.parts).flatMap(([name, title]) => {
        const parts = children.filter(part => part.localName === name);
        for (const part of parts) part.slot = name;
        return parts.length ? [make("h3", {}, title), make("slot", { name })] : [];
      });
    }
  }

  class Tabs extends CrowdElement {
    static style = `[role=tablist] { display: flex; gap: 4px; border-bottom: 1px solid #767676; margin-bottom: 12px } button { border: 0; background: none; padding: 8px 14px; cursor: pointer; border-bottom: 3px solid transparent } [aria-selected=true] { border-color: #0b5cad; font-weight: 600 }`;
    build(root) {
      this.list = make("div", { role: "tablist" });
      this.tabs = [...this.children].filter(tab => tab.localName === "crowd-tab");
      this.list.append(...this.tabs.map((tab, at) => {
        const button = make("button", { type: "button", role: "tab" }, tab.getAttribute("header") ?? `Tab ${at + 1}`);
        button.addEventListener("click", () => this.show(at));
        return button;
      }));
      this.list.addEventListener("keydown", event => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const at = [...this.list.children].indexOf(this.shadowRoot.activeElement);
        this.show((at + step + this.tabs.length) % this.tabs.length, true);
      });
      root.append(this.list, make("slot"));
      this.show(0);
    }
    show(at, focus = false) {
      this.tabs.forEach((tab, place) => { tab.hidden = place !== at; });
      [...this.list.children].forEach((button, place) => {
        button.setAttribute("aria-selected", String(place === at));
        button.tabIndex = place === at ? 0 : -1;
      });
      if (focus) this.list.children[at].focus();
    }
  }

  class Tab extends CrowdElement {
    build(root) {
      this.role = "tabpanel";
      this.setAttribute("aria-label", this.getAttribute("header") ?? "");
      root.append(make("slot"));
    }
  }

  class Card extends CrowdElement {
    static style = `:host { border: 1px solid #c1c7cd; border-radius: 6px; padding: 12px; box-sizing: border-box; background: #fff } h3 { margin: 0 0 8px; font-size: 1em } img { max-width: 100% }`;
    build(root) {
      const heading = this.getAttribute("heading"), image = this.getAttribute("image");
      if (heading) root.append(make("h3", {}, heading));
      if (image) root.append(make("img", { src: image, alt: heading ?? "" }));
      root.append(make("slot"));
    }
  }

  class Shown extends CrowdElement { build(root) { root.append(make("slot")); } }

  // ── The form ───────────────────────────────────────────────────────────────────────────────────

  const NATIVE = "input, select, textarea";
  const isSent = field => field.name && !field.matches(":disabled") && !["submit", "button", "reset", "image", "file"].includes(field.type);

  class CrowdForm extends CrowdElement {
    build(root) {
      // Its own form holds all children, so that events and `document.forms` are as in Ground Truth.
      this.form = make("form", { novalidate: true });
      this.form.append(...this.childNodes);
      this.append(this.form);
      this.warning = make("p", { role: "alert" });
      root.append(make("slot"), this.warning);
      this.before = new Map([...this.querySelectorAll("input[type=hidden]")].map(field => [field, field.value]));
      const buttons = "crowd-button[form-action=submit], button[type=submit], input[type=submit], button:not([type])";
      if (!this.querySelector(buttons)) {
        const button = make("crowd-button", { "form-action": "submit", variant: "primary" }, "Submit");
        this.form.append(make("p", {}, button));
      }
      addEventListener.call(this.form, "click", event => {
        const button = event.target.closest("button, input[type=submit]");
        if (!button || (button.type !== "submit" && button.localName !== "input")) return;
        event.preventDefault(); // a sandboxed frame sends no form
        this.submit();
      });
      addEventListener.call(this.form, "keydown", event => {
        const field = event.target;
        if (event.key !== "Enter" || field.localName !== "input" || /^(checkbox|radio|button|submit)$/.test(field.type)) return;
        event.preventDefault();
        this.submit();
      });
      on("submit", event => {
        if (event.target !== this.form) return event.preventDefault(); // a form inside the form
        if (!event.defaultPrevented) this.send();
        event.preventDefault();
      });
    }

    get fields() { return [...this.querySelectorAll("*")].filter(field => field instanceof CrowdElement || field.matches(NATIVE)); }

    submit() {
      const field = this.fields.find(field => !(field instanceof CrowdForm) && !field.matches("crowd-form crowd-form *") && !this.isValid(field));
      if (!field) dispatchEvent.call(this.form, new SubmitEvent("submit", { bubbles: true, cancelable: true }));
    }

    isValid(field) {
      return field.matches(":disabled") || !field.reportValidity || field.reportValidity();
    }

    send() {
      // A page that nobody answered is not handed in, whatever its fields allow.
      this.warning.textContent = this.isAnswered() ? "" : "Nothing is answered yet.";
      if (!this.warning.textContent) deliver(this.serialize());
    }

    isAnswered() {
      return this.fields.some(field => {
        if (field instanceof CrowdElement) return field.name && !field.disabled && field.answered;
        if (!isSent(field)) return false;
        if (field.type === "checkbox" || field.type === "radio") return field.checked;
        if (field.type === "hidden") return field.value !== "" && field.value !== this.before.get(field);
        return field.value.trim() !== "";
      });
    }

    serialize() {
      const answer = Object.create(null); // a field may be called __proto__
      const put = (name, value) => {
        const isObject = typeof value === "object" && !Array.isArray(value) && typeof answer[name] === "object";
        answer[name] = isObject ? Object.assign(answer[name], value) : value;
      };
      for (const field of this.fields) {
        if (field instanceof CrowdElement) {
          const value = field.name && !field.disabled ? field._submittableValue : undefined;
          if (value !== undefined) put(field.name, value);
        } else if (isSent(field)) {
          const isChoice = field.type === "checkbox" || field.type === "radio";
          const several = field.multiple && field.selectedOptions;
          put(field.name, isChoice ? { [field.value]: field.checked } : several ? [...several].map(option => option.value) : field.value);
        }
      }
      return answer;
    }

    reset() {
      reset.call(this.form);
      for (const field of this.fields) {
        if (field instanceof Classifier) for (const input of field.inputs) input.checked = false;
        else if (field instanceof Checkbox) field.checked = isOn(field, "checked");
        else if (field instanceof Field) field.value = field.getAttribute("value") ?? "";
      }
    }
  }

  function deliver(answer) {
    const event = new CustomEvent("tessera-answer", { detail: answer, cancelable: true });
    if (!dispatch(event)) return;
    if (portal !== window) return portal.postMessage({ tessera: "answer", answer }, "*");
    const box = make("pre", { id: "answer" }, JSON.stringify([answer], null, 2));
    for (const form of all("crowd-form")) form.style.display = "none";
    document.body.append(box);
  }

  const single = picture => class extends Classifier { static picture = picture; };
  const multiple = picture => class extends Classifier { static picture = picture; static several = true; };
  const ELEMENTS = {
    "crowd-button": Button, "crowd-icon-button": class extends Button {}, "crowd-fab": class extends Button {},
    "crowd-card": Card, "crowd-alert": Alert, "crowd-toast": class extends Alert {}, "crowd-badge": class extends Shown {},
    "crowd-modal": Modal, "crowd-instructions": Instructions, "crowd-tab": Tab, "crowd-tabs": Tabs,
    "crowd-classifier": single(false), "crowd-classifier-multi-select": multiple(false),
    "crowd-image-classifier": single(true), "crowd-image-classifier-multi-select": multiple(true),
    "crowd-input": Input, "crowd-text-area": TextArea, "crowd-slider": Slider, "crowd-slider-label": class extends Shown {},
    "crowd-checkbox": Checkbox, "crowd-toggle-button": ToggleButton,
    "crowd-radio-button": RadioButton, "crowd-radio-group": RadioGroup,
    "crowd-form": CrowdForm, // last: it asks its fields
  };

  // Once the document is read: an element that comes alive sees its children then. Amazon's script
  // is as late, so that templates wait for the event below.
  on("DOMContentLoaded", () => {
    const style = "body { font: 16px/1.5 system-ui, sans-serif; margin: 16px; color: #16191f; background: #fff } crowd-form { display: block } :where(classification-target) > img { max-width: 100% } full-instructions, short-instructions { display: block } crowd-slider-label { display: none }";
    head.prepend(make("style", {}, style));
    for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);
    setTimeout(() => dispatch(new Event("all-crowd-elements-ready", { bubbles: true })));
  });
})();
