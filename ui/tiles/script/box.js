/** Where pictures are asked about as they are, nothing is drawn on them: see ui/boxes. */

export function showBox() {}

export function moveBox() {}

export function startBoxes() {}
