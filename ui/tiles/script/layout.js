/** Lay the tiles out: so many columns that the pictures are as large as they can be. */

import { names } from "./choices.js";
import { find, findAll, make } from "./dom.js";
import { draw } from "./draw.js";
import { goTo, showFramed } from "./focus.js";
import { setTabStops } from "./help.js";
import { confirmRow } from "./labeling.js";
import { log, state } from "./state.js";
import { grid, hasSuggestions, tiles } from "./tiles.js";

const GAP = 8; // pixels between tiles, as in tile.css
const PADDING = 12; // pixels around them
const BORDER = 6; // pixels of a tile's two borders
const LEAST = 104; // pixels of a tile's side at which all can still be in view: 96 of picture
const STRIP = 28; // pixels across the strip of digits
const HEADING = 22; // pixels of a block's heading
/** Pixels of a row's button, and of the window from which it can be the wider one. */
const ROW_BUTTON = 60;
const WIDE_ROW_BUTTON = 120;
const WIDE = 1000;
const NEAR = 0.94; // of the largest picture: less is given up for a last row that is full

const ROWS_IN_VIEW = 4; // where pictures have to scroll
const LEAST_ROW = 150; // pixels of one of those, unless the window is lower
/** Columns of small and large pictures, to those of medium ones. */
const COLUMNS = { S: 1.5, M: 1, L: 0.6 };

const SHAPE_SAMPLE = 5; // pictures whose shape stands for all
const SAME_SHAPE = 0.06; // a difference that is not worth a new layout
const WIDEST = 2.5; // beyond, a tile would be a slit: the picture gets bars instead
const TALLEST = 0.5;

const main = find("main");

let aspect = 4 / 3; // of a picture, width by height
let aspectIsKnown = false;

/** Width by height of most of the run's pictures, if somebody looked at them before; else 0. */
const shapeOfRun = Number(grid.dataset["shape"]);

/** Whether a block of one suggestion begins at this place. */
const beginsBlock = (at) => hasSuggestions && tiles[at].rank !== tiles[at - 1]?.rank;

/** The rows that have a heading above them. */
function headedRows(columns) {
  return new Set(tiles.flatMap((_, at) => (beginsBlock(at) ? Math.floor(at / columns) : [])));
}

/** Pixels across a row's button: a large target for the mouse where the tiles can spare it. */
const rowButton = () => (main.offsetWidth < WIDE ? ROW_BUTTON : WIDE_ROW_BUTTON);

/** Pixels for tiles and the gaps between them. */
function measureSpace() {
  const buttons = hasSuggestions ? rowButton() + GAP : 0;
  return {
    width: main.offsetWidth - 2 * PADDING - buttons,
    height: main.offsetHeight - 2 * PADDING,
  };
}

/** A tile's sides when `columns` by `rows` of them fill the space. */
function tileIn(space, columns, rows) {
  const headings = headedRows(columns).size * (HEADING + GAP);
  return {
    width: (space.width - GAP * (columns - 1)) / columns,
    height: (space.height - headings - GAP * (rows - 1)) / rows,
  };
}

/** Width of the picture in a tile. */
const pictureIn = ({ width, height }) => Math.min(width - BORDER, (height - BORDER) * aspect);

/** Columns and row height with every picture in view, or undefined if they would be too small. */
function fitAll(space) {
  const fits = tiles
    .map((_, at) => {
      const columns = at + 1;
      const rows = Math.ceil(tiles.length / columns);
      const tile = tileIn(space, columns, rows);
      const empty = rows * columns - tiles.length;
      return { columns, rowHeight: tile.height, tile, empty, picture: pictureIn(tile) };
    })
    .filter(({ tile }) => tile.width >= LEAST && tile.height >= LEAST);
  const largest = Math.max(...fits.map(({ picture }) => picture));
  return fits
    .filter(({ picture }) => picture >= NEAR * largest)
    .sort((one, other) => one.empty - other.empty || other.picture - one.picture)[0];
}

/** Columns where the page scrolls, with so many rows in view as a look can take in. */
function columnsToScroll(space) {
  const rows = Math.min(ROWS_IN_VIEW, Math.floor(space.height / LEAST_ROW));
  const height = space.height / Math.max(rows, 1);
  const width = (height - BORDER) * aspect + BORDER + GAP;
  return Math.min(Math.max(1, Math.round(space.width / width)), tiles.length);
}

/** So many columns, and rows as high as the pictures then are; a whole row is always in view. */
function inColumns(space, wanted) {
  const most = Math.floor((space.width + GAP) / (LEAST + GAP));
  const columns = Math.max(1, Math.min(wanted, most));
  const { width } = tileIn(space, columns, 1);
  const strip = names.length < 10 && matchMedia("(hover: hover)").matches ? STRIP : 0;
  // Of a panorama, whose row would be a slit, the tile is higher than the picture.
  const height = Math.max((width - BORDER) / aspect + BORDER, LEAST) + strip;
  return { columns, rowHeight: Math.min(height, space.height) };
}

/** Columns and row height at the size that the worker chose. */
function arrange(space) {
  const all = fitAll(space);
  if (all && state.size === "M") return all;
  const columns = all?.columns ?? columnsToScroll(space);
  return inColumns(space, Math.round(columns * COLUMNS[state.size]));
}

function makeRowButton(row, line) {
  const button = make("button", "confirm");
  button.style.gridArea = `${line} / ${state.columns + 1}`;
  button.onclick = (event) => {
    if (!event.detail) confirmRow(row); // a pointer has confirmed it already
  };
  return button;
}

function makeHeading(tile, line, column) {
  const { pre } = tile.record;
  const text = pre ? `should all be: ${pre}` : "no suggestion";
  const heading = make("h2", `block c${tile.rank}`, text);
  heading.style.gridArea = `${line} / ${column + 1} / auto / -1`;
  return heading;
}

/** Choose columns and row height for the space there is, and put every tile in its place. */
export function layOut() {
  const space = measureSpace();
  const { columns, rowHeight } = arrange(space);
  const { width } = tileIn(space, columns, 1);
  state.columns = columns;
  // Where a tile has width to spare, the digits stand at its side, else below the picture.
  grid.className = width / rowHeight > aspect ? "roomy" : "";
  findAll(".block, .confirm").forEach((element) => element.remove());
  const headed = headedRows(columns);
  const tracks = [];
  const lines = []; // the grid line above each row of tiles
  for (let row = 0; row * columns < tiles.length; row++) {
    if (headed.has(row)) tracks.push(`${HEADING}px`);
    lines.push(tracks.push(`${Math.floor(rowHeight)}px`));
    if (hasSuggestions) grid.append(makeRowButton(row, lines[row]));
  }
  const buttons = hasSuggestions ? ` ${rowButton()}px` : "";
  grid.style.gridTemplate = `${tracks.join(" ")} / repeat(${columns}, minmax(0, 1fr))${buttons}`;
  tiles.forEach((tile, at) => {
    const column = at % columns;
    tile.row = (at - column) / columns;
    tile.element.style.gridArea = `${lines[tile.row]} / ${column + 1}`;
    if (beginsBlock(at)) tile.element.before(makeHeading(tile, lines[tile.row] - 1, column));
  });
  for (const button of findAll("#sizes button")) {
    button.ariaPressed = button.value === state.size;
  }
  setTabStops();
  draw();
  showFramed(); // a tablet may have been turned
}

/** The shape of most pictures, as far as it is known. */
function medianShape(shapes) {
  const sorted = [...shapes].sort((one, other) => one - other);
  return Math.min(Math.max(sorted[sorted.length >> 1], TALLEST), WIDEST);
}

/** Take on the pictures' shape, once and before any input: this page's, else the run's. */
export function fitShape() {
  const ofPage = tiles.map((tile) => tile.shape).filter(Boolean);
  const shapes = shapeOfRun && ofPage.length < tiles.length ? [shapeOfRun] : ofPage;
  const isTooFew = shapes === ofPage && shapes.length < Math.min(SHAPE_SAMPLE, tiles.length);
  if (aspectIsKnown || log.firstInputMs || isTooFew) return;
  aspectIsKnown = true;
  const shape = medianShape(shapes);
  if (Math.abs(shape / aspect - 1) < SAME_SHAPE) return;
  aspect = shape;
  if (log.readyMs === null) return; // nothing is laid out yet
  grid.style.visibility = "hidden"; // tiles that are not painted do not jump
  requestAnimationFrame(() => {
    layOut();
    requestAnimationFrame(() => {
      grid.style.visibility = "";
      goTo();
    });
  });
}

export function startLayout() {
  fitShape();
  layOut();
  document.documentElement.classList.add("laid-out");
  new ResizeObserver(layOut).observe(main);
}
