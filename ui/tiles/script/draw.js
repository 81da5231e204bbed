/** Show the state of tiles, labels and progress. */

import { buttons, keys, names } from "./choices.js";
import { find, findAll, make } from "./dom.js";
import { log } from "./state.js";
import { hasFailed, isDone, isOpen, isSuggested, tiles } from "./tiles.js";

/** The classes of each label's color and pattern. */
const colorClasses = buttons.map((button) => button.className);

/** Say in words what a tile shows. */
function describe(tile) {
  const { pos, label, flag } = tile.record;
  return [
    `Picture ${pos + 1} of ${tiles.length}`,
    label ?? "no label",
    isSuggested(tile) && "suggested",
    flag && "flagged",
    hasFailed(tile) && "did not load",
  ].filter(Boolean).join(", ");
}

function drawTile(tile) {
  const { label, flag, load } = tile.record;
  const choice = names.indexOf(label);
  const classes = ["tile"];
  if (load === "ok") classes.push("loaded");
  if (label) classes.push(colorClasses[choice], isSuggested(tile) ? "suggested" : "labeled");
  else if (log.blockedSubmits && isOpen(tile)) classes.push("missing");
  if (flag) classes.push("flagged");
  tile.element.className = classes.join(" ");
  tile.element.ariaLabel = describe(tile);
  drawChip(tile, choice);
  tile.radios.forEach((radio, at) => {
    radio.checked = at === choice;
    // Switched off it is not handed in, and is not missed: the picture stays unanswered.
    radio.disabled = hasFailed(tile) && !isDone(tile);
  });
}

function drawChip(tile, choice) {
  tile.chip.replaceChildren();
  if (choice < 0) return;
  const name = names[choice];
  const key = keys[choice] === name ? "" : keys[choice]; // a label "7" is not written twice
  tile.chip.append(make("b", "", key), make("span", "", isSuggested(tile) ? `${name} ?` : name));
}

function drawProgress() {
  const count = tiles.filter(isDone).length;
  const isReady = count > 0 && !tiles.some(isOpen);
  find("#progress progress").value = count;
  find("#progress b").textContent = count;
  find("#submit").className = isReady ? "ready" : "";
  buttons.forEach((button, choice) => {
    const given = tiles.filter((tile) => tile.record.label === names[choice]);
    button.lastChild.textContent = given.length || "";
  });
}

function drawRowButtons() {
  findAll(".confirm").forEach((button, row) => {
    const whole = tiles.every((tile) => tile.row !== row || !isOpen(tile));
    button.classList.toggle("done", whole);
    button.textContent = `Row ${row + 1} is right${whole ? " ✓" : ""}`;
  });
}

/** Draw these tiles anew, and all that counts over them. */
export function draw(...changed) {
  changed.forEach(drawTile);
  drawProgress();
  drawRowButtons();
}
