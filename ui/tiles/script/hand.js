/** By what a label was given last: "key", "mouse" or "touch". */

let hand = "key";

export const handOf = () => hand;

/** Listen before everybody else does. */
export function startHand() {
  addEventListener("keydown", () => { hand = "key"; }, true);
  addEventListener("pointerdown", ({ pointerType }) => {
    hand = pointerType === "touch" ? "touch" : "mouse"; // a pen is held like a mouse
  }, true);
}
