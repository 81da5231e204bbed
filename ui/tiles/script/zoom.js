/** One picture in all of the window, down to its pixels. */

import { moveBox, showBox } from "./box.js";
import { find } from "./dom.js";
import { bookTime } from "./focus.js";
import { state } from "./state.js";

const PIXEL = 16; // screen pixels that one of the picture's may get
const LEAST_MOST = 8; // times that even a picture with few pixels, large as it is, can be enlarged
const STEP = 1.5; // times that a key enlarges
const PAN = 0.2; // of the window that an arrow key moves by

const lens = find("#lens");
const [lensImage, lensText] = lens.children;

/** How the picture lies in the lens: `scale` 1 fits it in; `x` and `y` move its middle. */
const fit = { scale: 1, x: 0, y: 0 };
let placed = fit;

export const isEnlarged = () => Boolean(state.zoomed) && placed.scale > 1;

/** Place the picture, never smaller than the lens and never out of it. */
function place({ scale, x, y }) {
  const { clientWidth: width, clientHeight: height, naturalWidth, naturalHeight } = lensImage;
  // Pixels of the screen for one of the picture.
  const fitted = Math.min(width / naturalWidth, height / naturalHeight) || 1;
  const most = Math.max(PIXEL / fitted, LEAST_MOST);
  const bounded = Math.min(Math.max(scale, 1), most);
  const clamp = (shift, side) => {
    const room = side * (bounded - 1) / 2;
    return Math.min(Math.max(shift, -room), room);
  };
  placed = { scale: bounded, x: clamp(x, width), y: clamp(y, height) };
  lensImage.style.transform = `translate(${placed.x}px, ${placed.y}px) scale(${bounded})`;
  moveBox();
  if (bounded > 1) showOriginal();
  // From two screen pixels on, a picture's own are shown as they are.
  lensImage.style.imageRendering = fitted * bounded > 2 ? "pixelated" : "";
}

/**
 * Show the original of a smaller copy, once it has come. Only enlarged has it more to show than its
 * copy, and twenty originals would be a page of many megabytes.
 */
function showOriginal() {
  const tile = state.zoomed;
  const { original } = tile ?? {};
  if (!original || tile.isAsked) return;
  tile.isAsked = true;
  const large = new Image();
  large.onload = () => {
    tile.large = large.src;
    if (state.zoomed === tile) lensImage.src = large.src;
  };
  large.onerror = () => {
    tile.isAsked = false; // the copy stays, and the next step asks again
  };
  large.src = original;
}

/** Enlarge so many times around a point of the window; by default around the middle. */
export function zoomBy(times, point) {
  const box = lens.getBoundingClientRect();
  const x = point ? point.clientX - box.left - lensImage.clientWidth / 2 : 0;
  const y = point ? point.clientY - box.top - lensImage.clientHeight / 2 : 0;
  const before = placed.scale;
  place({ ...placed, scale: before * times });
  const really = placed.scale / before;
  panBy((x - placed.x) * (1 - really), (y - placed.y) * (1 - really));
}

export function panBy(x, y) {
  place({ ...placed, x: placed.x + x, y: placed.y + y });
}

/** What keys do in the lens: enlarge, and look about where the picture is larger than it. */
export const zoomKeys = {
  "+": () => zoomBy(STEP),
  "=": () => zoomBy(STEP), // the plus of many keyboards, without Shift
  "-": () => zoomBy(1 / STEP),
};

export const panKeys = {
  ArrowLeft: () => panBy(lens.clientWidth * PAN, 0),
  ArrowRight: () => panBy(-lens.clientWidth * PAN, 0),
  ArrowUp: () => panBy(0, lens.clientHeight * PAN),
  ArrowDown: () => panBy(0, -lens.clientHeight * PAN),
};

/** Show the framed picture large. */
export function openZoom() {
  bookTime();
  lens.hidden = false;
  showBox();
  lensImage.src = state.current.large ?? state.current.image.src;
  if (state.zoomed !== state.current) {
    state.current.record.zooms++;
    place(fit);
  }
  state.zoomed = state.current;
  lensText.textContent = state.current.element.ariaLabel;
}

lensImage.onload = () => place(placed); // its size was not known before

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
