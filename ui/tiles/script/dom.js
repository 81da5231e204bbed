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

let earlierMs = 0; // of the page's life before it was opened anew

/** Whole milliseconds since the page was asked for, at its first opening if there were several. */
export const now = () => Math.round(performance.now() + earlierMs);

/** Let the clock go on from where it stood when the page was left. */
export function continueFrom(leftAt) {
  earlierMs += leftAt;
}
