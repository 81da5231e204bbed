/** Give labels, and confirm suggestions. */

import { names } from "./choices.js";
import { now } from "./dom.js";
import { goTo } from "./focus.js";
import { handOf } from "./hand.js";
import { beginStep, put, snapshot } from "./marking.js";
import { announce, warn } from "./note.js";
import { retryFailed } from "./pictures.js";
import { log, state } from "./state.js";
import {
  firstGap, hasFailed, hasSuggestions, isDone, isOpen, isSuggested, tiles,
} from "./tiles.js";
import { wasSeen } from "./view.js";

/** Whether a picture can be judged; if not, say why. Nothing is judged that cannot be seen. */
function canJudge(tile) {
  const { record } = tile;
  if (record.load === "ok") return true;
  record.beforeLoad++;
  const reason = hasFailed(tile) ? "did not load. Trying again …" : "is still loading.";
  if (hasFailed(tile)) retryFailed();
  warn(`Picture ${record.pos + 1} ${reason}`);
  return false;
}

/** The choice that a tile has been given, or -1. */
export const choiceOf = (tile) => names.indexOf(tile.record.label);

/** Give a tile a label, if it can be judged; as part of `step` if there is one. */
export function give(tile, choice, by, step) {
  if (!canJudge(tile)) return false;
  if (step) step.former.push(snapshot(tile));
  else beginStep(tile);
  put(tile, names[choice], by);
  announce(`${tile.record.pos + 1}: ${names[choice]}`);
  return true;
}

/**
 * The next tile that waits for an answer. With suggestions those of the same row come first: Enter
 * must confirm the row that the worker is looking at.
 */
function nextOpen({ row, record }) {
  const onward = [...tiles.slice(record.pos + 1), ...tiles.slice(0, record.pos)].filter(isOpen);
  return (hasSuggestions && onward.find((tile) => tile.row === row)) || onward[0];
}

/** Give the framed tile a label and frame the next one without an answer. */
export function giveAndGoOn(choice) {
  const { current } = state;
  goTo(give(current, choice, handOf()) ? nextOpen(current) : current);
}

/**
 * Give a tile the label after its own, or before it with a `direction` of -1. The first press on a
 * suggestion agrees with it.
 */
export function stepLabel(tile, direction) {
  if (isSuggested(tile) && direction > 0) return agree(tile);
  const choice = choiceOf(tile) + direction;
  const first = choice < -1 ? names.length - 1 : choice; // from no label back to the last one
  give(tile, (first + names.length) % names.length, handOf());
  return goTo(tile);
}

/** Confirm the suggestion of one tile. */
export function agree(tile) {
  give(tile, choiceOf(tile), handOf());
  goTo(tile);
}

/** Bring a picture into view that a row was to be confirmed without, and say why that waits. */
function showUnseen(tile) {
  goTo(tile);
  const number = tile.record.pos + 1;
  if (canJudge(tile)) warn(`Picture ${number} was not in view yet. Look, and confirm.`);
}

/** Confirm the suggestions of a row; false where it had none, or one that was not seen. */
export function confirmRow(row) {
  const suggested = tiles.filter((tile) => tile.row === row && isSuggested(tile) && isOpen(tile));
  const unseen = suggested.find((tile) => tile.record.load !== "ok" || !wasSeen(tile));
  if (unseen) showUnseen(unseen);
  if (unseen || !suggested.length) return false;
  beginStep(...suggested);
  for (const tile of suggested) put(tile, tile.record.label, "suggestion");
  log.rows.push({ row, confirmMs: now() });
  return true;
}

/** Whether all rows but this one are done, of which there are some. */
export function isLastRow(row) {
  const others = tiles.filter((tile) => tile.row !== row);
  return others.length > 0 && others.every(isDone);
}

/** Confirm the framed tile's row and go to the next open one; false where that was refused. */
export function confirmRowAndGoOn() {
  const { row } = state.current;
  if (!confirmRow(row)) return false;
  const next = firstGap(row) ?? firstGap();
  goTo(next);
  if (next && isLastRow(next.row)) {
    warn("This is the last row: Enter confirms it and sends the page.");
  }
  return true;
}
