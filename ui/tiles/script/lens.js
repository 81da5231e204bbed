/** Wheel, drag and pinch in the lens. */

import { find, listen, now } from "./dom.js";
import { goTo } from "./focus.js";
import { state } from "./state.js";
import { closeZoom, panBy, zoomBy } from "./zoom.js";

const WHEEL = 0.002; // of e for a pixel of the wheel: a notch, 100 pixels, enlarges by a fifth
const ECHO = 400; // milliseconds between the two presses of a double one
const SLIP = 5; // pixels that a press may move and still be one

const lens = find("#lens");
const pointers = new Map(); // what is pressed, by id

let leftMs; // when a press last left the zoom
let moved = 0; // pixels since the first pointer came down

const distance = (one, other) =>
  Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);

function onWheel(event) {
  event.preventDefault();
  zoomBy(Math.exp(-event.deltaY * WHEEL), event);
}

/** One pointer moves the picture, two enlarge it between them and move it. */
function onMove(event) {
  const before = pointers.get(event.pointerId);
  if (!before || !state.zoomed) return;
  const [other] = [...pointers.values()].filter((pointer) => pointer !== before);
  pointers.set(event.pointerId, event);
  moved += distance(before, event);
  const part = other ? 0.5 : 1; // the middle of two moves half as far as one of them
  if (other) zoomBy(distance(event, other) / distance(before, other), other);
  panBy((event.clientX - before.clientX) * part, (event.clientY - before.clientY) * part);
}

function onClick({ target }) {
  if (moved > SLIP || target.closest("label")) return;
  closeZoom();
  leftMs = now();
  goTo();
}

/** Whether a press is the second of two that left the zoom, and not meant for the tile below. */
export const isEcho = () => now() - leftMs < ECHO;

/** Tone all pictures, as the two sliders stand. */
function tone() {
  const [light, contrast] = ["#light", "#contrast"].map((id) => find(id).value);
  const isPlain = light === "100" && contrast === "100";
  const filter = isPlain ? "none" : `brightness(${light}%) contrast(${contrast}%)`;
  find("#page").style.setProperty("--tone", filter);
}

function step(id, by) {
  find(id).value = Number(find(id).value) + by;
  tone();
}

/** Darker and brighter, less and more contrast. */
export const toneKeys = {
  ",": () => step("#light", -20),
  ".": () => step("#light", 20),
  ";": () => step("#contrast", -20),
  ":": () => step("#contrast", 20),
};

export function startLens() {
  lens.addEventListener("wheel", onWheel, { passive: false });
  lens.onclick = onClick;
  for (const id of ["#light", "#contrast"]) {
    find(id).oninput = tone;
    find(id).onchange = () => goTo(); // the keys belong to the pictures again
  }
  listen("pointerdown", (event) => {
    if (!pointers.size) moved = 0;
    if (!event.target.closest("input")) pointers.set(event.pointerId, event);
  });
  listen("pointermove", onMove);
  listen("pointerup pointercancel", ({ pointerId }) => pointers.delete(pointerId));
}
