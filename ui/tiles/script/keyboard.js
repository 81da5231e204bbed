/** Keys: one key, one meaning, and only while a tile has the focus or nothing has. */

import { characterOf } from "./character.js";
import { buttons, keys } from "./choices.js";
import { find, listen, now } from "./dom.js";
import { confirmOrSubmit } from "./enter.js";
import { goTo, moves } from "./focus.js";
import { openFlag } from "./flag.js";
import { openHelp } from "./help.js";
import { onHost } from "./host.js";
import { giveAndGoOn } from "./labeling.js";
import { undo } from "./marking.js";
import { toneKeys } from "./lens.js";
import { announce } from "./note.js";
import { log, state } from "./state.js";
import { tileOf } from "./tiles.js";
import { closeZoom, isEnlarged, openZoom, panKeys, toggleZoom, zoomKeys } from "./zoom.js";

const LATE_ENTER = 400; // milliseconds in which an Enter was meant for the page before

let shownMs = 0; // when a page that was fetched ahead came to the front
let typed = ""; // the first letter of a label's key of two

/** Take one character of a label's key; an empty one forgets what was typed. */
export function typeKey(character) {
  const fitting = keys.filter((key) => character && key.startsWith(typed + character));
  const choice = keys.indexOf(typed + character);
  typed = fitting.length && choice < 0 ? typed + character : "";
  buttons.forEach((button, at) => {
    button.classList.toggle("off", typed && !fitting.includes(keys[at]));
  });
  if (choice >= 0) giveAndGoOn(choice);
}

const commands = {
  Enter: confirmOrSubmit,
  " ": openZoom,
  "?": openHelp,
  "؟": openHelp, // Arabic
  u: openFlag,
  z: toggleZoom,
  ...toneKeys,
};

/** What a key does, or undefined where it does nothing here. */
function commandOf(event) {
  const { key } = event;
  const withControl = event.ctrlKey || event.metaKey;
  const character = characterOf(event, commands);
  if (key === "Backspace" && typed) return () => typeKey("");
  if (key === "Backspace" || (withControl && character === "z")) return undo;
  if (withControl) return undefined;
  if (isEnlarged() && panKeys[key]) return panKeys[key];
  if (moves[key]) return () => goTo(moves[key]());
  const beginsLabel = typed || keys.some((label) => label.startsWith(character));
  if (character && beginsLabel) return () => typeKey(character); // a Czech 1 is a plus, too
  if (state.zoomed && zoomKeys[key]) return zoomKeys[key];
  return commands[character || key];
}

/** Whether a key belongs to what has the focus, not to the pictures. */
function isElsewhere({ key, target, altKey }) {
  const presses = target.matches("button") && (key === "Enter" || key === " ");
  const hasOther = target !== document.body && !tileOf(target);
  return hasOther || log.shortcutsOff || altKey || presses;
}

function onKeyDown(event) {
  if (find("dialog[open]")) return;
  const { key } = event;
  const isEnter = key === "Enter";
  const sinceMs = now() - Math.max(log.readyMs, shownMs);
  if (isEnter && log.firstInputMs === null && sinceMs < LATE_ENTER) return;
  log.firstInputMs ??= now();
  if (key === "Escape") {
    typeKey("");
    closeZoom();
    goTo();
    return;
  }
  if (isElsewhere(event)) return;
  const command = commandOf(event);
  if (!command) return;
  event.preventDefault();
  const mayRepeat = moves[key] || zoomKeys[key] || toneKeys[key];
  if (event.repeat && !mayRepeat) return; // a key held down labels one picture
  if (!isEnter) announce();
  command();
}

export function startKeyboard() {
  listen("keydown", onKeyDown);
  onHost("show", () => { shownMs = now(); });
  listen("keyup", ({ key }) => {
    if (key === " " && !log.shortcutsOff) closeZoom();
  });
}
