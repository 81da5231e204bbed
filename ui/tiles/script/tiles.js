/** The tiles in the order in which they are shown, each with the record that is handed in. */

import { names } from "./choices.js";
import { find, findAll, make } from "./dom.js";

export const grid = find("#tiles");

function makeTile(element) {
  const { id, prelabel, width, height } = element.dataset;
  const [picture, image] = findAll("*", element);
  const suggestion = names.includes(prelabel) ? prelabel : null;
  return {
    element,
    picture,
    image,
    radios: findAll("input", element),
    chip: make("p", "chip"),
    message: make("p", "wait", "loading …"),
    address: image.src, // the newest; `tried` is the last that was asked for
    tried: image.src,
    // The address of what the picture is a smaller copy of, if it is one; in quotes is the
    // document's own name, which the build does not shorten.
    original: element.dataset["original"],
    row: 0,
    shape: width / height || null, // width by height, known from the task or once it has loaded
    confirmed: false, // whether the worker gave or confirmed the label; a suggestion alone is none
    // Suggestions stand in blocks of one label; what has none comes last.
    rank: suggestion ? names.indexOf(suggestion) : names.length,
    confidence: element.dataset["confidence"],
    record: {
      id, pos: 0, label: suggestion, pre: suggestion, by: suggestion && "pre",
      first: null, last: null, changes: 0, prev: [],
      dwell: 0, visibleMs: 0, zooms: 0, zoomMs: 0,
      load: "pending", loadMs: null, failures: 0, w: 0, h: 0, beforeLoad: 0,
    },
  };
}

/** Give a picture a box of its own shape; before, it has all of the tile. */
export function setShape(tile, shape) {
  tile.shape = shape;
  tile.image.style.setProperty("--shape", shape);
  tile.image.className = "shaped";
}

export const tiles = findAll(".tile").map(makeTile);
for (const tile of tiles) if (tile.shape) setShape(tile, tile.shape);
export const hasSuggestions = tiles.some((tile) => tile.record.pre);

if (hasSuggestions) {
  // The least sure suggestion of a block comes first, where the eye is freshest.
  tiles.sort((one, other) => one.rank - other.rank || one.confidence - other.confidence);
  grid.append(...tiles.map((tile) => tile.element));
}
tiles.forEach((tile, position) => {
  tile.record.pos = position;
});

export const isDone = (tile) => Boolean(tile.record.label) && tile.confirmed;
export const isSuggested = (tile) => Boolean(tile.record.label) && !tile.confirmed;

/** Whether a picture did not load, though it was tried again. */
export const hasFailed = (tile) => tile.record.load === "error";

/** Whether a tile still waits for the worker; nobody can answer for a picture that failed. */
export const isOpen = (tile) => !isDone(tile) && !hasFailed(tile);

/** The tile that an event's target belongs to. */
export function tileOf(target) {
  const element = target?.closest?.(".tile");
  return tiles.find((tile) => tile.element === element);
}

/** The first tile that waits for an answer, in the rows below `row`. */
export const firstGap = (row = -1) => tiles.find((tile) => tile.row > row && isOpen(tile));
