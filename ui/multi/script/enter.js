/** What Enter does: the framed picture is done, with the labels it has or with none; or all are. */

import { isSingle } from "./choices.js";
import { find } from "./dom.js";
import { goTo } from "./focus.js";
import { handOf } from "./hand.js";
import { give, giveNoneToRest, nextOpen } from "./labeling.js";
import { announce, warn } from "./note.js";
import { state } from "./state.js";
import { submit } from "./submit.js";
import { isOpen, tiles } from "./tiles.js";

/** Go to the next picture without an answer; where there is none, say how to go on. */
function goOn() {
  const next = nextOpen(state.current);
  goTo(next);
  if (!next) warn("Every picture has its answer: Enter sends the page.");
}

/** Give the framed picture none of the labels, whatever it had. */
function giveNone() {
  if (give(state.current, [], handOf())) goOn();
}

/** The pictures that nobody marked have none of the labels; each was looked at. */
function finishRest() {
  if (giveNoneToRest()) goOn();
}

/** Finish the framed picture and go on, or submit; of one label alone, finish all and submit. */
export function confirmOrSubmit() {
  if (!tiles.some(isOpen) || (isSingle && giveNoneToRest())) submit();
  else if (isSingle) return; // one was not in view yet: it is framed now
  else if (isOpen(state.current)) giveNone();
  else goOn();
}

function onPress(selector, action) {
  find(selector).onclick = () => {
    announce();
    action();
  };
}

onPress("#none", giveNone);
onPress("#rest", finishRest);
