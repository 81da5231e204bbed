/** Find, make and listen: the few words in which the page speaks to the document. */

export const find = (selector) => document.querySelector(selector);

export const findAll = (selector, within = document) => [...within.querySelectorAll(selector)];

/** Make an element; a button gets `type="button"`, so that it submits nothing. */
export function make(tag, className = "", textContent = "") {
  return Object.assign(document.createElement(tag), { className, textContent, type: "button" });
}

/** Call `handler` for events of several types, wherever in the document they happen. */
export function listen(types, handler) {
  for (const type of types.split(" ")) document.addEventListener(type, handler);
}

/** Whole milliseconds since the page was asked for. */
export const now = () => Math.round(performance.now());
