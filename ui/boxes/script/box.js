/** Draw a tile's box on the whole picture in the zoom, and take no picture that it does not fit. */

import { find, findAll } from "./dom.js";
import { fitsBox, layFrame } from "./shape.js";
import { state } from "./state.js";

const frame = find("#frame");

/** Lay the frame of the framed tile's box on the picture in the lens. */
export function showBox() {
  const { element } = state.current;
  layFrame(frame, element.getAttribute("style"), element.getAttribute("aria-description") ?? "");
}

/** Move the frame as the lens moves the picture; its lines stay as thin as they are. */
export function moveBox() {
  const { transform } = find("#lens img").style;
  frame.style.transform = transform;
  frame.style.setProperty("--enlarged", transform.split("scale(")[1].slice(0, -1));
}

const fits = (image) => fitsBox(image, image.closest(".tile").dataset.whole);

/** Let a picture that does not fit fail as one that does not load: nobody can answer for it. */
document.addEventListener("load", (event) => {
  const { target } = event;
  if (!target.matches?.(".picture img") || fits(target)) return;
  event.stopImmediatePropagation();
  target.dispatchEvent(new Event("error"));
}, true);

/** Ask anew for pictures that were there before anybody listened, so that they are looked at. */
export function startBoxes() {
  for (const image of findAll(".picture img")) {
    if (image.complete && !fits(image)) image.src = "data:,";
  }
}
