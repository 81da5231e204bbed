/** The page's one message, read out by screen readers and, when it matters, shown. */

import { find } from "./dom.js";

const note = find("#note");

function write(text, className) {
  note.className = className;
  note.textContent = text;
}

/** Tell screen readers alone: sighted workers see it happen. */
export const announce = (text = "") => write(text, "spoken");

/** Tell everybody. */
export const warn = (text) => write(text, "");
