/** Flags: what the worker says is wrong with a picture, or with the question about it. */

import { find } from "./dom.js";
import { openDialog } from "./help.js";
import { setFlag } from "./marking.js";
import { state } from "./state.js";

const dialog = find("#why");
const text = find("#why textarea");

/** Ask what is wrong with the framed picture. */
export function openFlag() {
  text.value = state.current.record.flag ?? "";
  openDialog(dialog);
}

function flag(reason) {
  setFlag(reason.trim());
  dialog.close();
}

dialog.onclick = ({ target }) => {
  if (target.matches("button")) flag(target.value || text.value);
};

text.onkeydown = (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  event.preventDefault(); // a reason is one line
  flag(text.value);
};
