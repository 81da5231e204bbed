/** The labels that a worker may choose, in the order of the bar's buttons; any number of them. */

import { find, findAll } from "./dom.js";

export const buttons = findAll("#labels button");
export const names = buttons.map((button) => button.value);

/** The answer for a picture that cannot be judged, which no other goes with. */
const { escape } = find("#none").dataset;

/** Whether there is one label alone, and pictures have it or not. */
export const isSingle = names.filter((name) => name !== escape).length === 1;

/** Whether this is what a tile's record may have as its label: a set of names. */
export const isLabel = (label) =>
  Array.isArray(label) && label.every((name) => names.includes(name));

/** The set with one name more, or less if it had that. */
export function toggled(set, name) {
  if (set.includes(name)) return set.filter((other) => other !== name);
  if (name === escape) return [name];
  return names.filter((other) => other === name || (other !== escape && set.includes(other)));
}

/** What is typed for each label: one digit, or one or two letters that begin no other's. */
export const keys = buttons.map((button) => button.dataset.key);
