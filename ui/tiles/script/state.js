/** What the page knows beside its tiles: where the worker is, and the log of the whole page. */

import { names } from "./choices.js";
import { hasSuggestions, tiles } from "./tiles.js";

export const state = {
  current: tiles[0], // the framed tile: keys and the labels of the bar go to it
  zoomed: null, // the tile in the zoom
  away: false, // whether the page is out of sight, or the help before it
  size: "M",
  columns: 1,
};

/** What the hidden field `meta` hands in, beside the tiles' records. */
export const log = {
  v: 2,
  ui: "[[ build ]]",
  mode: hasSuggestions ? "prelabel" : "plain",
  classes: names,
  order: tiles.map((tile) => tile.record.id),
  n: tiles.length,
  touch: false,
  readyMs: null,
  firstInputMs: null,
  hiddenMs: 0,
  blockedSubmits: 0,
  undos: 0,
  returns: 0, // how often the page was left and opened again
  shortcutsOff: false,
  rows: [],
};
