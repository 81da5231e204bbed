/** Load the pictures. One that fails is unanswered, and is tried again whenever that may help. */

import { find, listen, make, now } from "./dom.js";
import { draw } from "./draw.js";
import { goTo } from "./focus.js";
import { askHost, onHost } from "./host.js";
import { fitShape } from "./layout.js";
import { announce } from "./note.js";
import { hasFailed, isDone, setShape, tiles } from "./tiles.js";

const RETRY_AFTER = 800; // milliseconds: long enough for a hiccup of the network to pass

const unreachable = find("#unreachable");

/** Say what to do where not one picture came; there is nothing to answer then. */
function drawUnreachable() {
  const none = tiles.every((tile) => hasFailed(tile) && !isDone(tile));
  if (none) find("#pictures-host").textContent = new URL(tiles[0].address, location.href).host;
  if (none && unreachable.hidden) announce(find("#unreachable h2").textContent);
  unreachable.hidden = !none;
}

function loaded(tile) {
  const { record, image, message } = tile;
  const { naturalWidth: w, naturalHeight: h } = image;
  if (w * h === 1) return onError(tile); // the pixel that a blocker puts in a picture's place
  Object.assign(record, { load: "ok", loadMs: now(), w, h });
  if (w && h) setShape(tile, w / h); // a drawing may have no size of its own
  message.remove();
  draw(tile);
  drawUnreachable();
  fitShape();
}

/** A picture is here once it can be painted. Damage fails; what is cut off is painted in part. */
async function onLoad(tile) {
  const { image } = tile;
  const { src } = image;
  try {
    await image.decode();
  } catch {
    if (image.src === src) onError(tile);
    return;
  }
  loaded(tile);
}

/** Ask for a picture again, by its newest address. */
function load(tile) {
  const { image, message, record } = tile;
  tile.retryIsDue = false;
  tile.tried = tile.address;
  record.load = "pending";
  message.className = "wait";
  message.textContent = "loading …";
  draw(tile);
  image.src = tile.address;
}

function onError(tile) {
  const { record } = tile;
  if (tile.retryIsDue) return; // seen at the start, and told once more by the event
  record.failures++;
  if (tile.tried !== tile.address) {
    load(tile);
  } else if (record.failures === 1) {
    tile.retryIsDue = true;
    askHost("refresh");
    setTimeout(() => load(tile), RETRY_AFTER);
  } else {
    giveUp(tile);
  }
}

/** Leave a picture unanswered: somebody else will be asked, unless it comes after all. */
function giveUp(tile) {
  const { message } = tile;
  const again = make("button", "", "Try again");
  again.onclick = () => {
    retryFailed();
    goTo(tile);
  };
  tile.record.load = "error";
  message.className = "dead";
  message.textContent = "did not load";
  message.append(again);
  draw(tile);
  drawUnreachable();
}

/** Try all pictures that failed once more: by hand, or when the network may be back. */
export function retryFailed() {
  const failed = tiles.filter(hasFailed);
  if (!failed.length) return;
  askHost("refresh");
  failed.forEach(load);
}

/** Take on new addresses; what failed by its old one is loaded by the new. */
function onAddresses(addresses) {
  for (const tile of tiles) {
    const { id } = tile.record;
    const address = addresses[id];
    tile.original &&= addresses[`${id}-original`] ?? tile.original;
    if (!address || address === tile.address) continue;
    tile.address = address;
    if (hasFailed(tile)) load(tile);
  }
}

export function startPictures() {
  find("#unreachable button").onclick = () => {
    retryFailed();
    goTo();
  };
  onHost("addresses", onAddresses);
  onHost("show", retryFailed);
  addEventListener("online", retryFailed);
  listen("visibilitychange", () => {
    if (!document.hidden) retryFailed();
  });
  for (const tile of tiles) {
    const { image } = tile;
    image.onload = () => onLoad(tile);
    image.onerror = () => onError(tile);
    if (!image.complete || !image.currentSrc) continue;
    if (image.naturalWidth) onLoad(tile);
    else onError(tile);
  }
}
