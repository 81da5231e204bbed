/** The dialog with instructions, keys and the comment; it opens by itself on a first page. */

import { findAll, find } from "./dom.js";
import { bookTime, goTo } from "./focus.js";
import { showHint } from "./hint.js";
import { askHost, onHost } from "./host.js";
import { log, state } from "./state.js";

const help = find("#help");
const closing = find("#close-help");

/** Which instructions these are; empty where there are none. */
const { version } = help.dataset;
const REMEMBERED = `tessera-${version}`;

let isFirst; // unknown, then until the worker has begun

/** With the keys off, let Tab get to every radio and button instead. */
export function setTabStops() {
  for (const element of findAll(".tile input, .glass, .confirm")) {
    element.tabIndex = log.shortcutsOff ? 0 : -1;
  }
}

/** Open a dialog; who reads is not at the pictures. */
export function openDialog(dialog) {
  bookTime();
  state.away = true;
  dialog.showModal();
  dialog.querySelector("button").focus(); // browsers heed no `autofocus` in a frame of another site
  dialog.scrollTop = 0; // they scrolled to the first control, which is behind the instructions
  dialog.onclose = () => {
    bookTime();
    state.away = document.hidden;
    goTo();
    begin();
  };
}

export const openHelp = () => openDialog(help);

/** Show a worker who has not been here what to do. */
function showFirst() {
  // The portal may ask twice, and the worker have read in between.
  if (help.open || isFirst === false) return;
  isFirst = true;
  if (version) openHelp();
  else begin();
}

/** The worker knows now; say how to go on, and have it remembered. */
function begin() {
  if (!isFirst) return;
  isFirst = false;
  showHint();
  try {
    localStorage[REMEMBERED] = 1;
  } catch {
    askHost("begun", version);
  }
}

/**
 * Show what to do if this worker comes for the first time: by the page's own storage, else by what
 * the portal says. Once Amazon's form stands: what it moves loses an open dialog.
 */
export function startFirst() {
  try {
    if (!localStorage[REMEMBERED]) showFirst();
  } catch {
    askHost("first", version); // in the portal's sandbox there is no storage
  }
}

export function startHelp() {
  onHost("welcome", showFirst);
  closing.onclick = () => help.close();
  find("#shortcuts").onchange = (event) => {
    log.shortcutsOff = !event.target.checked;
    setTabStops();
  };
}
