/** One picture in all of the window. */

import { find } from "./dom.js";
import { bookTime } from "./focus.js";
import { state } from "./state.js";

const lens = find("#lens");
const [lensImage, lensText] = lens.children;

/** Show the framed picture large. */
export function openZoom() {
  bookTime();
  lens.hidden = false;
  if (state.zoomed !== state.current) state.current.record.zooms++;
  state.zoomed = state.current;
  lensImage.src = state.current.image.src;
  lensText.textContent = state.current.element.ariaLabel;
}

export function closeZoom() {
  bookTime();
  lens.hidden = true;
  state.zoomed = null;
}

export function toggleZoom() {
  if (state.zoomed) closeZoom();
  else openZoom();
}

/** Keep the framed picture in an open zoom. */
export function followZoom() {
  if (state.zoomed) openZoom();
}
