/** Start the worker's page: join its parts, wire the buttons, frame the first picture. */

import { startBoxes } from "./box.js";
import { buttons } from "./choices.js";
import { find, findAll, listen, make } from "./dom.js";
import { startDraft } from "./draft.js";
import { draw } from "./draw.js";
import { bookTime, goTo, startClock } from "./focus.js";
import { openFlag } from "./flag.js";
import { startHand } from "./hand.js";
import { openHelp, startFirst, startHelp } from "./help.js";
import { startKeyboard, typeKey } from "./keyboard.js";
import { giveAndGoOn } from "./labeling.js";
import { undo } from "./marking.js";
import { layOut, startLayout } from "./layout.js";
import { startLens } from "./lens.js";
import { announce } from "./note.js";
import { startPictures } from "./pictures.js";
import { startPointer } from "./pointer.js";
import { state } from "./state.js";
import { startSubmit, submit } from "./submit.js";
import { tiles } from "./tiles.js";
import { watchTiles } from "./view.js";
import { openZoom } from "./zoom.js";

/** Put into a tile what only works with a script. */
function furnish(tile) {
  const number = tile.record.pos + 1;
  const glass = make("button", "glass");
  glass.ariaLabel = `Zoom picture ${number}`;
  glass.onclick = () => {
    goTo(tile);
    openZoom();
  };
  tile.picture.lastChild.textContent = number;
  tile.picture.append(tile.chip, glass, tile.message);
  tile.element.tabIndex = -1;
}

function onClick(selector, action) {
  find(selector).onclick = () => {
    announce();
    action();
  };
}

function wireButtons() {
  buttons.forEach((button, choice) => {
    button.onclick = () => {
      typeKey("");
      giveAndGoOn(choice);
    };
  });
  for (const button of findAll("#sizes button")) {
    button.onclick = () => {
      state.size = button.value;
      layOut();
      goTo();
    };
  }
  onClick("#undo", undo);
  onClick("#flag", openFlag);
  onClick("#submit", submit);
  onClick("#open-help", openHelp);
}

tiles.forEach(furnish);
wireButtons();
startHand();
startKeyboard();
startPointer();
startLens();
startHelp();
startSubmit();
startDraft();
draw(...tiles);
startBoxes();
startPictures();
startLayout();
watchTiles();
listen("visibilitychange", () => {
  bookTime();
  state.away = document.hidden || find("dialog[open]");
});
// Amazon's elements may have changed what is around the tiles.
listen("all-crowd-elements-ready", () => {
  layOut();
  goTo();
  startFirst();
});
startClock();
goTo();
