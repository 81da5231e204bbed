/** What Enter does: it confirms suggestions, and submits. */

import { confirmRowAndGoOn, isLastRow } from "./labeling.js";
import { state } from "./state.js";
import { submit } from "./submit.js";
import { isDone, isOpen, isSuggested, tiles } from "./tiles.js";

/** Confirm the row where that has suggestions, else submit; the last row's Enter does both. */
export function confirmOrSubmit() {
  const { row } = state.current;
  const hasOpen = tiles.some((tile) => tile.row === row && isSuggested(tile) && isOpen(tile));
  const isLast = isLastRow(row);
  if (hasOpen && !confirmRowAndGoOn()) return;
  if (!hasOpen || (isLast && tiles.every(isDone))) submit();
}
