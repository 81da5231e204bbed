/** Mouse and touch: tap, drag, hold. The focus ends on a tile, so that the keys are live. */

import { findAll, listen, now } from "./dom.js";
import { draw } from "./draw.js";
import { frame, goTo } from "./focus.js";
import { handOf } from "./hand.js";
import { agree, choiceOf, confirmRow, give, stepLabel } from "./labeling.js";
import { isEcho } from "./lens.js";
import { beginStep } from "./marking.js";
import { announce } from "./note.js";
import { log } from "./state.js";
import { firstGap, grid, isDone, isSuggested, tileOf } from "./tiles.js";
import { closeZoom, openZoom } from "./zoom.js";

const HOLD = 450; // milliseconds after which a finger that rests asks for the zoom

/** What a pressed pointer is doing: told of each move, and of how it ends. */
const idle = { move() {}, end() {}, cancel() {} };
let gesture = idle;

let resting; // what the first of several fingers came down on

/** A pointer that came down on a tile: a tap unless it moves to another, or rests. */
function pressTile(tile, isTouch) {
  const hold = isTouch && setTimeout(() => { gesture = holdZoom(tile); }, HOLD);
  return {
    move(target) {
      const other = tileOf(target);
      if (!other || other === tile) return;
      clearTimeout(hold);
      gesture = paintFrom(tile);
      gesture.move(target);
    },
    end(event) {
      clearTimeout(hold);
      announce();
      stepLabel(tile, event.shiftKey ? -1 : 1);
    },
    cancel: () => clearTimeout(hold),
  };
}

/** A drag from one tile gives its label to those that it passes. */
function paintFrom(first) {
  const step = beginStep();
  let last = first;
  if (!isDone(first)) give(first, Math.max(choiceOf(first), 0), "bulk", step);
  const choice = choiceOf(first);
  return {
    move(target) {
      const tile = tileOf(target);
      if (!tile || tile === last) return;
      last = tile;
      if (isDone(first)) give(tile, choice, "bulk", step);
    },
    end: () => goTo(last),
    cancel() {},
  };
}

/** A finger that rests on a tile: its zoom, until it is lifted. */
function holdZoom(tile) {
  goTo(tile);
  openZoom();
  const close = () => {
    closeZoom();
    goTo();
  };
  return { ...idle, end: close, cancel: close };
}

const rowOf = (target) => findAll(".confirm").indexOf(target);

/** A drag over the rows' buttons confirms each of them. */
function confirmRowsFrom(first) {
  confirmRow(first);
  const goOn = () => goTo(firstGap());
  return {
    move(target) {
      const row = rowOf(target);
      if (row < 0) return;
      for (let at = Math.min(first, row); at <= Math.max(first, row); at++) confirmRow(at);
    },
    end: goOn,
    cancel: goOn,
  };
}

function onPointerDown(event) {
  const { target, pointerId } = event;
  const isTouch = event.pointerType === "touch";
  // A thumb that rests on a label, or holds the tablet, is no part of a pinch.
  if (event.isPrimary) resting = target;
  else if (grid.contains(resting)) return pinch(target);
  log.firstInputMs ??= now();
  log.touch ||= isTouch;
  if (isEcho() || event.button || target.closest(".tile :is(label, button)")) return;
  target.releasePointerCapture(pointerId);
  const tile = tileOf(target);
  if (tile) gesture = pressTile(tile, isTouch);
  else if (rowOf(target) >= 0) gesture = confirmRowsFrom(rowOf(target));
}

/** A second finger on a tile opens the zoom, which stays open; two fingers then enlarge. */
function pinch(target) {
  const tile = tileOf(target);
  gesture.cancel();
  gesture = idle;
  if (!tile) return;
  goTo(tile);
  openZoom();
}

function endGesture(event) {
  const ended = gesture;
  gesture = idle;
  if (event.type === "pointercancel") ended.cancel();
  else ended.end(event);
}

function onContextMenu(event) {
  const tile = tileOf(event.target);
  if (!tile) return;
  event.preventDefault();
  if (event.pointerType !== "touch") stepLabel(tile, -1);
}

/** A press on the digit that is suggested changes no radio, and agrees. */
function onClick({ target }) {
  const tile = target.matches(".tile input") && tileOf(target);
  if (tile && isSuggested(tile) && target.value === tile.record.label) agree(tile);
}

/** A radio of a tile was chosen itself. */
function onChange({ target }) {
  const tile = tileOf(target);
  if (!tile) return;
  if (!give(tile, tile.radios.indexOf(target), handOf())) draw(tile);
  if (!log.shortcutsOff) goTo(tile);
}

export function startPointer() {
  listen("pointerdown", onPointerDown);
  listen("pointermove", ({ clientX, clientY }) => {
    if (gesture !== idle) gesture.move(document.elementFromPoint(clientX, clientY));
  });
  listen("pointerup pointercancel", endGesture);
  listen("contextmenu", onContextMenu);
  listen("change", onChange);
  listen("click", onClick);
  // A press takes the focus from no tile; the dialog's fields need it.
  listen("mousedown", (event) => {
    if (!event.target.closest("dialog, input")) event.preventDefault();
  });
  listen("focusin", ({ target }) => {
    const tile = tileOf(target);
    if (tile) frame(tile);
  });
}
