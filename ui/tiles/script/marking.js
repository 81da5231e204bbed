/** Write down what a picture is given, step by step, and take steps back. */

import { now } from "./dom.js";
import { keepDraft } from "./draft.js";
import { draw } from "./draw.js";
import { goTo } from "./focus.js";
import { warn } from "./note.js";
import { log, state } from "./state.js";

const PREVIOUS_KEPT = 5; // former labels of one picture in the log: enough to see somebody waver

/** Steps that undo takes back, the last one at the end; each is what it found. */
const steps = [];

/** What undo restores of a tile. */
export function snapshot(tile) {
  const { label, by, flag } = tile.record;
  return { tile, confirmed: tile.confirmed, record: { label, by, flag } };
}

/** Begin a step that one undo takes back; give it to `give` to put more tiles into it. */
export function beginStep(...changed) {
  const step = { current: state.current, former: changed.map(snapshot) };
  steps.push(step);
  return step;
}

/** Write a label, or a set of them, down with how it came. */
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
  keepDraft();
}

/** Take the last step back. */
export function undo() {
  const step = steps.pop();
  if (!step) return warn("Nothing to undo.");
  log.undos++;
  for (const { tile, confirmed, record } of step.former.reverse()) {
    tile.confirmed = confirmed;
    Object.assign(tile.record, record);
    draw(tile);
  }
  keepDraft();
  return goTo(step.current);
}

/** Flag the framed picture with a reason; an empty one takes the flag back. */
export function setFlag(reason) {
  const { current } = state;
  beginStep(current);
  current.record.flag = reason || undefined; // without a flag, the log has no key for one
  draw(current);
  keepDraft();
}
