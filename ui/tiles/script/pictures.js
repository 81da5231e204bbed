/** Load the pictures; one that fails holds nobody up. */

import { escapeChoice, names } from "./choices.js";
import { make, now } from "./dom.js";
import { draw } from "./draw.js";
import { goTo } from "./focus.js";
import { put } from "./labeling.js";
import { fitShape } from "./layout.js";
import { setShape, tiles } from "./tiles.js";

const RETRY_AFTER = 800; // milliseconds: long enough for a hiccup of the network to pass

async function onLoad(tile) {
  const { record, image } = tile;
  await image.decode().catch(() => {});
  Object.assign(record, {
    load: "ok", loadMs: now(), w: image.naturalWidth, h: image.naturalHeight,
  });
  setShape(tile, record.w / record.h);
  tile.message.remove();
  if (record.by === "auto-error") {
    record.label = record.pre;
    record.by = record.pre && "pre";
    tile.confirmed = false;
  }
  draw(tile);
  fitShape();
}

/** Ask for a picture again: by the same address, since a signed one allows no other. */
function load(tile) {
  tile.retryIsDue = false;
  tile.image.src = tile.image.src;
}

function onError(tile) {
  const { record, message } = tile;
  if (tile.retryIsDue) return; // seen at the start, and told once more by the event
  if (!record.retries++) {
    tile.retryIsDue = true;
    setTimeout(() => load(tile), RETRY_AFTER);
    return;
  }
  if (record.load !== "error") put(tile, names[escapeChoice], "auto-error");
  record.load = "error";
  const again = make("button", "", "Try again");
  again.onclick = () => {
    message.className = "wait";
    message.textContent = "loading …";
    load(tile);
    goTo(tile);
  };
  message.className = "dead";
  message.textContent = "did not load";
  message.append(again);
  draw(tile);
}

export function startPictures() {
  for (const tile of tiles) {
    const { image } = tile;
    image.onload = () => onLoad(tile);
    image.onerror = () => onError(tile);
    if (!image.complete || !image.currentSrc) continue;
    if (image.naturalWidth) onLoad(tile);
    else onError(tile);
  }
}
