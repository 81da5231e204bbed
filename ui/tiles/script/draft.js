/**
 * Nothing marked is lost: after each mark the surroundings get all of them to keep, and give them
 * back when the same task is opened again.
 */

import { isLabel } from "./choices.js";
import { find, now } from "./dom.js";
import { draw } from "./draw.js";
import { goTo, resumeClock } from "./focus.js";
import { askHost, onHost } from "./host.js";
import { warn } from "./note.js";
import { log } from "./state.js";
import { firstGap, isDone, tiles } from "./tiles.js";

const comment = find("#comment");

let isDue = false;

const isMarked = (tile) => isDone(tile) || tile.record.flag;

/** Hand the marks over; `marked` is for the surroundings, the rest for `restore` alone. */
function sendDraft() {
  isDue = false;
  askHost("keep", {
    marked: tiles.filter(isMarked).length,
    leftAt: now(),
    log,
    comment: comment.value,
    // in quotes, as other builds of the page read them
    tiles: tiles.map((tile) => ({ "confirmed": tile.confirmed, "record": tile.record })),
  });
}

/** Have the marks kept, once for all changes of one key or press. */
export function keepDraft() {
  if (!isDue) queueMicrotask(sendDraft);
  isDue = true;
}

/** Give a tile what was on it; what the page knows of its picture is of now. */
function restoreTile(tile, record, confirmed) {
  if (record.label && !isLabel(record.label)) return;
  const { pos, pre, load, loadMs, w, h } = tile.record;
  Object.assign(tile.record, record, { pos, pre, load, loadMs, w, h });
  tile.confirmed = confirmed;
}

/** Put the marks of an earlier opening of this page back; those given since it opened stay. */
function restore(draft) {
  resumeClock(draft.leftAt);
  const { ui, blockedSubmits, shortcutsOff } = log; // of this opening
  Object.assign(log, draft.log, { ui, blockedSubmits, shortcutsOff });
  log.returns++;
  comment.value = draft.comment;
  for (const kept of draft.tiles) {
    const record = kept["record"];
    const tile = tiles.find((one) => one.record.id === record.id);
    if (tile && !isMarked(tile)) restoreTile(tile, record, kept["confirmed"]);
  }
  draw(...tiles);
  goTo(firstGap());
  keepDraft(); // or marks given before the draft came would be all that is kept
  if (draft.marked) warn(`${draft.marked} of ${tiles.length} are as you left them.`);
}

/** Show what the worker answered when they sent this page, to correct it. */
function showChoices(choices) {
  for (const tile of tiles) {
    const label = choices[tile.record.id];
    if (isMarked(tile) || !isLabel(label)) continue;
    Object.assign(tile.record, { label, by: "before" });
    tile.confirmed = true;
  }
  draw(...tiles);
}

/** Show what the worker flagged when they sent this page. */
function showFlags(flags) {
  for (const tile of tiles) tile.record.flag ??= flags[tile.record.id];
  draw(...tiles);
}

export function startDraft() {
  onHost("flags", showFlags);
  onHost("choices", showChoices);
  comment.oninput = keepDraft;
  onHost("draft", restore);
}
