/** The one line that tells a worker what to press first. */

import { keys } from "./choices.js";
import { warn } from "./note.js";

/** Say in one line how a label is given; a finger has no keys. */
export function showHint() {
  const areCounted = keys.at(-1) === `${keys.length}`; // else the last one's key is a letter
  const isTouch = matchMedia("(hover: none)").matches;
  warn(isTouch || !areCounted
    ? "Press a label to give it to the framed picture and go on."
    : `Press 1–${keys.length} to label the framed picture and go on.`);
}
