/** Show the state of tiles, labels and progress, where a picture has any number of labels. */

import { buttons, keys, names } from "./choices.js";
import { find, make } from "./dom.js";
import { log } from "./state.js";
import { hasFailed, isDone, isOpen, tiles } from "./tiles.js";

/** The classes of each label's color and pattern. */
const colorClasses = buttons.map((button) => button.className);

/** Say in words what a tile shows. */
function describe(tile) {
  const { pos, label, flag } = tile.record;
  return [
    `Picture ${pos + 1} of ${tiles.length}`,
    ...(label ?? ["no label"]),
    label && !label.length && "none",
    flag && "flagged",
    hasFailed(tile) && "did not load",
  ].filter(Boolean).join(", ");
}

function drawTile(tile) {
  const { label, flag, load } = tile.record;
  const classes = ["tile"];
  if (load === "ok") classes.push("loaded");
  if (label) classes.push("labeled");
  else if (log.blockedSubmits && isOpen(tile)) classes.push("missing");
  if (flag) classes.push("flagged");
  tile.element.className = classes.join(" ");
  tile.element.ariaLabel = describe(tile);
  tile.chip.replaceChildren(...chips(label));
  tile.radios.forEach((box, at) => {
    box.checked = Boolean(label?.includes(names[at]));
    // Switched off it is not handed in: the picture stays unanswered, and has no empty set.
    box.disabled = hasFailed(tile) && !isDone(tile);
  });
}

/** What stands in a picture's corner: each label in its color, or that it has none. */
function chips(label) {
  if (!label) return [];
  if (!label.length) return [make("span", "none", "none")];
  return label.map((name) => {
    const choice = names.indexOf(name);
    const key = keys[choice] === name ? "" : `${keys[choice]} `; // a label "7" is not written twice
    return make("span", colorClasses[choice], key + name);
  });
}

function drawProgress() {
  const count = tiles.filter(isDone).length;
  find("#progress progress").value = count;
  find("#progress b").textContent = count;
  find("#submit").className = count > 0 && !tiles.some(isOpen) ? "ready" : "";
  buttons.forEach((button, choice) => {
    const given = tiles.filter((tile) => tile.record.label?.includes(names[choice]));
    button.lastChild.textContent = given.length || "";
  });
}

/** Draw these tiles anew, and all that counts over them. */
export function draw(...changed) {
  changed.forEach(drawTile);
  drawProgress();
}
