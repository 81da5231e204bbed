/* Speaks the browser's language: whatever the portal or a worker's page writes, in English, is put
 * into the words of ui/languages as it appears. The same script serves both: in the portal it gets
 * the language's file; in a page's frame the portal hands it over, unless the job has a language of
 * its own (docs/decisions/page-languages.md).
 *
 * What requesters wrote is theirs, and stands in elements with translate="no". */
(() => {
  "use strict";
  // A page's variables may have any names: what is used here is bound before.
  const { JSON, MutationObserver, Node, Number, Object, RegExp, WeakMap, fetch, navigator } = window;
  if (window.tesseraSpeaks) return; // a page in its job's own language brings this script, too
  window.tesseraSpeaks = true;
  const root = document.documentElement;
  const ATTRIBUTES = ["aria-label", "title", "alt", "placeholder"];
  const STATES = ["no label", "suggested", "flagged", "did not load"];
  const HOLE = /\{\w+\}/g;
  let words = {}, sentences = [];

  /** A sentence with holes as a pattern, and what stands in them. */
  function sentence([english, other]) {
    const text = english.replace(/[.*+?^$()|[\]\\]/g, "\\$&")
      .replace(HOLE, name => /number|total/.test(name) ? "([\\d.,]+)" : "(.+?)");
    const names = english.match(HOLE);
    return { pattern: new RegExp(`^${text}$`), names, other, plain: english.replace(HOLE, "").length };
  }

  /** A hole's content: a number as the language writes it, a part that begins with one in its words. */
  function fill(content) {
    if (!/^\d/.test(content)) return content;
    const number = /^[\d,]+(\.\d+)?$/.test(content) ? Number(content.replaceAll(",", "")) : NaN;
    return Number.isNaN(number) ? inWords(content) : number.toLocaleString(root.lang, { minimumFractionDigits: content.split(".")[1]?.length ?? 0 });
  }

  /** An English text in the language's words; as it is where there are none for it. */
  function inWords(text) {
    if (Object.hasOwn(words, text)) return words[text];
    for (const { pattern, names, other } of sentences) {
      const match = pattern.exec(text);
      if (match) return names.reduce((filled, name, at) => filled.replace(name, () => fill(match[at + 1])), other);
    }
    const parts = text.split(" · ");
    if (parts.length > 1) return parts.map(inWords).join(" · ");
    const [first, ...states] = text.split(", "); // a tile as it is described; its label is not ours
    return [first, ...states.map(state => STATES.includes(state) ? words[state] : state)]
      .map((part, at) => at || !states.length ? part : inWords(part)).join(", ");
  }

  const isTheirs = element => element?.closest("[translate=no], .chip, script, style, textarea");

  /** What was put where: our own text is not to be read for English a second time. */
  const written = new WeakMap();

  function putText(node) {
    if (isTheirs(node.parentElement) || written.get(node) === node.data) return;
    const text = node.data.trim().replace(/\s+/g, " "), other = text && inWords(text);
    if (other === text) return;
    const [before] = node.data.match(/^\s*/), [after] = node.data.match(/\s*$/);
    node.data = before + other + after;
    written.set(node, node.data);
  }

  function putAttribute(element, name) {
    const text = element.getAttribute(name), ours = written.get(element) ?? {};
    if (!text || element.matches("[translate=no]") || ours[name] === text) return;
    const other = inWords(text);
    if (other === text) return;
    written.set(element, { ...ours, [name]: other });
    element.setAttribute(name, other);
  }

  function put(node) {
    if (node.nodeType === Node.TEXT_NODE) return putText(node);
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    for (const name of ATTRIBUTES) if (node.hasAttribute(name)) putAttribute(node, name);
    for (const child of node.childNodes) put(child);
  }

  function speak({ language, direction, words: given }) {
    words = given;
    sentences = Object.entries(words).filter(([english]) => english.match(HOLE)).map(sentence).sort((one, other) => other.plain - one.plain);
    root.lang = language;
    root.dir = direction;
    for (const name of ["no answer", "flagged"]) root.style.setProperty(`--${name.replace(" ", "-")}`, JSON.stringify(inWords(name)));
    put(root);
    new MutationObserver(changes => {
      for (const { type, target, addedNodes, attributeName } of changes) {
        if (type === "characterData") putText(target);
        else if (type === "attributes") putAttribute(target, attributeName);
        else addedNodes.forEach(put);
      }
    }).observe(root, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES });
  }

  /** The first of the browser's languages that there is a file for; English needs none. */
  function chosen() {
    const own = (root.dataset.languages ?? "").split(" ");
    return navigator.languages.map(tag => tag.split("-")[0]).find(tag => own.includes(tag)) ?? "en";
  }

  // A worker's page: its job's language stands in it, else the portal has handed over the browser's.
  if (!root.dataset.languages) return document.addEventListener("DOMContentLoaded", () => window.tesseraWords?.words && speak(window.tesseraWords));
  if (chosen() === "en") return;
  root.style.visibility = "hidden"; // no sentence is seen in two languages
  fetch(`assets/${chosen()}.json`)
    .then(response => response.json())
    .then(language => speak(window.tesseraWords = language))
    .catch(() => {}) // without the file the portal speaks English
    .finally(() => { root.style.visibility = ""; });
})();
