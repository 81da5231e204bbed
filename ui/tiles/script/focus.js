/** Where the worker is, and for how long. */

import { continueFrom, find, now } from "./dom.js";
import { log, state } from "./state.js";
import { tiles } from "./tiles.js";
import { followZoom } from "./zoom.js";

let accountedMs = 0;

/** Book the time since the last call on the framed tile, the zoomed one, or the time away. */
export function bookTime() {
  const time = now() - accountedMs;
  accountedMs += time;
  if (state.away) log.hiddenMs += time;
  else state.current.record.dwell += time;
  if (state.zoomed) state.zoomed.record.zoomMs += time;
}

/** Begin to book time: what went before was loading. */
export function startClock() {
  log.readyMs = accountedMs = now();
}

/** Go on from when the page was left; nobody's time away is booked. */
export function resumeClock(leftAt) {
  bookTime();
  continueFrom(leftAt);
  accountedMs = now();
}

/** Frame a tile that has the keyboard's focus already. */
export function frame(tile) {
  bookTime();
  state.current.element.tabIndex = -1;
  state.current = tile;
  tile.element.tabIndex = 0;
}

/** Have the framed tile in view. */
export const showFramed = () => state.current.element.scrollIntoView({ block: "nearest" });

/** Frame a tile and bring keyboard, view and zoom to it. */
export function goTo(tile = state.current) {
  frame(tile);
  if (find("dialog[open]")) return; // it has the keyboard until it is closed
  if (document.activeElement !== tile.element) tile.element.focus({ preventScroll: true });
  showFramed();
  followZoom();
}

/** The tile so many places on, or the last one that way. */
function tileBeside(step) {
  const position = state.current.record.pos + step;
  return tiles[Math.min(Math.max(position, 0), tiles.length - 1)];
}

const isInLastRow = (tile) => tile.row === tiles.at(-1).row;

const isRightToLeft = () => document.documentElement.dir === "rtl";

/** What each moving key leads to; undefined stays where it is. */
export const moves = {
  ArrowLeft: () => tileBeside(isRightToLeft() ? 1 : -1),
  ArrowRight: () => tileBeside(isRightToLeft() ? -1 : 1),
  ArrowUp: () => tiles[state.current.record.pos - state.columns],
  ArrowDown: () => (isInLastRow(state.current) ? state.current : tileBeside(state.columns)),
  Home: () => tiles[0],
  End: () => tiles.at(-1),
};
