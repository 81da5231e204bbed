/** Give and take labels, of which a picture has any number. */

import { isSingle, names, toggled } from "./choices.js";
import { goTo } from "./focus.js";
import { handOf } from "./hand.js";
import { beginStep, put, snapshot } from "./marking.js";
import { announce, warn } from "./note.js";
import { retryFailed } from "./pictures.js";
import { state } from "./state.js";
import { hasFailed, isOpen, tiles } from "./tiles.js";
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

/** The set of labels that a tile has been given, none of them before it was touched. */
export const choiceOf = (tile) => tile.record.label ?? [];

/**
 * Give a tile a set of labels, or toggle one by its number, if the picture can be judged; as part
 * of `step` if there is one.
 */
export function give(tile, choice, by, step) {
  if (!canJudge(tile)) return false;
  if (step) step.former.push(snapshot(tile));
  else beginStep(tile);
  put(tile, names[choice] ? toggled(choiceOf(tile), names[choice]) : [...choice], by);
  announce(tile.element.ariaLabel);
  return true;
}

/** The next tile that waits for an answer. */
export const nextOpen = ({ record }) =>
  [...tiles.slice(record.pos + 1), ...tiles.slice(0, record.pos)].find(isOpen);

/** Give the framed tile a label, or take it back; Enter or an arrow goes on. */
export function giveAndGoOn(choice) {
  give(state.current, choice, handOf());
  goTo();
}

/** A press on a picture frames it; of one label alone, it gives or takes that. */
export function stepLabel(tile) {
  if (isSingle) give(tile, 0, handOf());
  goTo(tile);
}

/** There are no suggestions to agree with, and no rows of them. */
export const agree = goTo;
export const confirmRow = () => false;

/** Give none of the labels to every picture that waits; false if one was not seen. */
export function giveNoneToRest() {
  const rest = tiles.filter(isOpen);
  const unseen = rest.find((tile) => tile.record.load !== "ok" || !wasSeen(tile));
  if (unseen) {
    goTo(unseen);
    const number = unseen.record.pos + 1;
    if (canJudge(unseen)) warn(`Picture ${number} was not in view yet. Look, and confirm.`);
    return false;
  }
  beginStep(...rest);
  for (const tile of rest) put(tile, [], "bulk");
  return true;
}
