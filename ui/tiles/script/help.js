/** The dialog with instructions, keys and the comment. */

import { findAll, find } from "./dom.js";
import { goTo } from "./focus.js";
import { log } from "./state.js";

export const help = find("#help");

/** With the keys off, let Tab get to every radio and button instead. */
export function setTabStops() {
  for (const element of findAll(".tile input, .glass, .confirm")) {
    element.tabIndex = log.shortcutsOff ? 0 : -1;
  }
}

export function startHelp() {
  help.onclose = () => goTo();
  find("#close-help").onclick = () => help.close();
  find("#shortcuts").onchange = (event) => {
    log.shortcutsOff = !event.target.checked;
    setTabStops();
  };
}
