/** Give labels, confirm suggestions, and take any of it back. */

import { names } from "./choices.js";
import { now } from "./dom.js";
import { draw } from "./draw.js";
import { goTo } from "./focus.js";
import { handOf } from "./hand.js";
import { announce, warn } from "./note.js";
import { retryFailed } from "./pictures.js";
import { log, state } from "./state.js";
import { firstGap, hasFailed, hasSuggestions, isOpen, isSuggested, tiles } from "./tiles.js";

const PREVIOUS_KEPT = 5; // former labels of one picture in the log: enough to see somebody waver

/** Steps that undo takes back, the last one at the end; each is what it found. */
const steps = [];

function snapshot(tile) {
  const { label, by, unsure } = tile.record;
  return { tile, confirmed: tile.confirmed, record: { label, by, unsure } };
}

/** Begin a step that one undo takes back; give it to `give` to put more tiles into it. */
export function beginStep(...changed) {
  const step = { current: state.current, before: changed.map(snapshot) };
  steps.push(step);
  return step;
}

/** Write a label down, with how it came. */
export function put(tile, label, by) {
  const { record } = tile;
  if (record.label && record.label !== label) {
    record.prev = [...record.prev, record.label].slice(-PREVIOUS_KEPT);
    record.changes++;
  }
  record.label = label;
  record.by = by;
  record.last = now();
  record.first ??= record.last;
  tile.confirmed = true;
  draw(tile);
}

/** Whether a picture can be judged; if not, say why. Nothing is judged that cannot be seen. */
function canJudge(tile) {
  const { record, picture } = tile;
  if (record.load === "ok") return true;
  record.beforeLoad++;
  picture.animate({ background: ["#ffd60a", "#e4e6ea"] }, 100);
  const reason = hasFailed(tile) ? "did not load. Trying again …" : "is still loading.";
  if (hasFailed(tile)) retryFailed();
  warn(`Picture ${record.pos + 1} ${reason}`);
  return false;
}

/** Give a tile a label, if it can be judged; as part of `step` if there is one. */
export function give(tile, choice, by, step) {
  if (!canJudge(tile)) return false;
  if (step) step.before.push(snapshot(tile));
  else beginStep(tile);
  put(tile, names[choice], by);
  announce(`${tile.record.pos + 1}: ${names[choice]}`);
  return true;
}

/** Give the framed tile a label and frame the next one without an answer. */
export function giveAndGoOn(choice) {
  const { current } = state;
  if (!give(current, choice, handOf())) return goTo();
  const position = current.record.pos;
  const next = [...tiles.slice(position + 1), ...tiles.slice(0, position)]
    .find((tile) => isOpen(tile) && !(hasSuggestions && tile.row !== current.row));
  return goTo(next);
}

/** Give a tile the label after its own, or before it with a `direction` of -1. */
export function stepLabel(tile, direction) {
  const choice = names.indexOf(tile.record.label) + direction;
  const first = choice < -1 ? names.length - 1 : choice; // from no label back to the last one
  give(tile, (first + names.length) % names.length, handOf());
  goTo(tile);
}

/** Confirm the suggestions of a row; false where it had none, or one that cannot be judged. */
export function confirmRow(row) {
  const suggested = tiles.filter((tile) => tile.row === row && isSuggested(tile) && isOpen(tile));
  const unseen = suggested.find((tile) => tile.record.load !== "ok");
  if (unseen) {
    goTo(unseen);
    canJudge(unseen);
    return false;
  }
  if (!suggested.length) return false;
  beginStep(...suggested);
  for (const tile of suggested) put(tile, tile.record.label, "suggestion");
  log.rows.push({ row, confirmMs: now() });
  return true;
}

/** Confirm the framed tile's row and go to the next open one. */
export function confirmRowAndGoOn() {
  const { row } = state.current;
  if (confirmRow(row)) goTo(firstGap(row) ?? firstGap());
}

export function undo() {
  const step = steps.pop();
  if (!step) return warn("Nothing to undo.");
  log.undos++;
  for (const { tile, confirmed, record } of step.before.reverse()) {
    tile.confirmed = confirmed;
    Object.assign(tile.record, record);
    draw(tile);
  }
  return goTo(step.current);
}

/** Mark the framed picture as one that the worker is unsure of, or take that back. */
export function toggleUnsure() {
  const { current } = state;
  beginStep(current);
  current.record.unsure = !current.record.unsure;
  goTo();
  draw(current);
  announce(current.element.ariaLabel);
}
