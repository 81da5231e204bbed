/** The labels that a worker may choose, in the order of the bar's buttons. */

import { findAll } from "./dom.js";

export const buttons = findAll("#labels button");
export const names = buttons.map((button) => button.value);

/** Whether this is what a tile's record may have as its label. */
export const isLabel = (label) => names.includes(label);

/** What is typed for each label: one digit, or one or two letters that begin no other's. */
export const keys = buttons.map((button) => button.dataset.key);
