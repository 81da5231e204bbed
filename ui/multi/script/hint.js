/** The one line that tells a worker what to press first. */

import { isSingle } from "./choices.js";
import { warn } from "./note.js";

/** Say in one line how labels are given. */
export function showHint() {
  warn(isSingle
    ? "Press every picture that has the label, then Enter: the rest have none, and it is sent."
    : "Press the keys of all labels that fit, then Enter to go on.");
}
