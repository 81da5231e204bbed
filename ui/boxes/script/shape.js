/** A box on the whole of its picture, as the worker's page and a review draw it. */

const SAME_SHAPE = 0.04; // by which copies of a picture differ, whose sides are whole pixels

/** Lay a frame on the large picture, around the box of a tile's style; `name` is what it says. */
export function layFrame(frame, style, name) {
  frame.firstChild.style.cssText = style;
  frame.firstChild.dataset.name = name;
}

/**
 * Whether a picture has the shape that its box was drawn on. One that a camera turned has not, if
 * the box is of the pixels as they are stored: the crop would show another part of the picture.
 */
export function fitsBox(image, box) {
  const [, , , , width, height] = box.split(",");
  const { naturalWidth, naturalHeight, src } = image;
  if (!naturalWidth || src.startsWith("data:image/svg")) return true; // a drawing has any size
  return Math.abs(naturalWidth / naturalHeight / (width / height) - 1) < SAME_SHAPE;
}
