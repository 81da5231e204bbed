/** Which tiles are in view, for how long, and whether they ever were. */

import { tileOf, tiles } from "./tiles.js";

const MOST = 0.5; // of a tile is in view: enough to judge the picture by

const inView = new Map(); // tile -> since when
const seen = new Set();

/** Whether a tile is, or was, in view. */
export const wasSeen = (tile) => seen.has(tile);

/** Log how long each tile was in view. */
export function watchTiles() {
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting, time } of entries) {
      const tile = tileOf(target);
      if (inView.has(tile)) tile.record.visibleMs += Math.round(time - inView.get(tile));
      if (isIntersecting) {
        inView.set(tile, time);
        seen.add(tile);
      } else {
        inView.delete(tile);
      }
    }
  }, { threshold: MOST });
  for (const tile of tiles) observer.observe(tile.element);
}
