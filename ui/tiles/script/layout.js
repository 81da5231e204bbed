/** Lay the tiles out: the largest pictures that all fit, in full rows. */

import { names } from "./choices.js";
import { find, findAll, make } from "./dom.js";
import { draw } from "./draw.js";
import { goTo } from "./focus.js";
import { setTabStops } from "./help.js";
import { confirmRow } from "./labeling.js";
import { log, state } from "./state.js";
import { grid, hasSuggestions, tiles } from "./tiles.js";

const SHAPE_SAMPLE = 5; // pictures whose shape stands for all
const SAME_SHAPE = 0.06; // a difference that is not worth a new layout
const STRIP = 28; // pixels across the strip of digits
const DIGIT = 26; // pixels along it for each digit
const FRAME = 14; // pixels of gap, border and padding of a tile
const HEADING = 30; // pixels of a block's heading and its gap
const ROW_BUTTON = 60; // pixels of a row's button

const root = document.documentElement;
const bar = find("header");
const isTouch = () => matchMedia("(max-width: 700px), (hover: none)").matches;

let aspect = 4 / 3;
let shapeIsKnown = false;

/** Take on the pictures' shape, once and before any input. */
export function fitShape() {
  const shapes = tiles
    .filter((tile) => tile.record.w)
    .map(({ record }) => record.w / record.h)
    .sort((one, other) => one - other);
  const sample = Math.min(SHAPE_SAMPLE, tiles.length);
  if (shapeIsKnown || log.firstInputMs || shapes.length < sample) return;
  shapeIsKnown = true;
  const median = shapes[shapes.length >> 1];
  if (Math.abs(median / aspect - 1) < SAME_SHAPE) return;
  aspect = Math.min(Math.max(median, 0.6), 2);
  grid.style.visibility = "hidden"; // tiles that are not painted do not jump
  requestAnimationFrame(() => {
    layOut();
    requestAnimationFrame(() => {
      grid.style.visibility = "";
      goTo();
    });
  });
}

/** Whether a block of one suggestion begins at this place. */
const beginsBlock = (at) => hasSuggestions && tiles[at].rank !== tiles[at - 1]?.rank;

/** The rows that have a heading above them. */
function headedRows(columns) {
  return new Set(tiles.flatMap((_, at) => (beginsBlock(at) ? Math.floor(at / columns) : [])));
}

function arrange() {
  const touch = isTouch();
  const count = tiles.length;
  const hasDigits = !touch && names.length < 10;
  const width = grid.parentNode.clientWidth - 16 - (hasSuggestions ? ROW_BUTTON + 8 : 0);
  const height = innerHeight - bar.offsetHeight - 18;
  let best = { score: -99 };
  for (let columns = 1; columns <= count; columns++) {
    for (const side of hasDigits ? ["bare", "rail", "foot"] : ["bare"]) {
      const rows = Math.ceil(count / columns);
      const inView = { S: 8, M: rows > 6 ? 4 : rows, L: Math.min(rows, 2) }[state.size];
      const heads = Math.min(headedRows(columns).size, inView);
      const rail = side === "rail" ? STRIP : 0;
      const foot = side === "foot" ? STRIP : 0;
      const wide = width / columns - FRAME - rail;
      const high = (height - HEADING * heads) / inView - FRAME - foot;
      const picture = Math.floor(touch ? wide : Math.min(wide, high * aspect));
      const room = rail ? picture / aspect : foot ? picture : hasDigits ? 0 : Infinity;
      const fullness = 0.85 + (0.15 * count) / rows / columns;
      const scrolls = state.size === "M" && rows > inView ? 0.5 : 1;
      const score = touch
        ? -Math.abs(columns - { S: 3, M: 2, L: 1 }[state.size])
        : picture * fullness * scrolls * (room < DIGIT * names.length ? 0.1 : 1);
      if (score >= best.score) best = { score, columns, rows, rail, foot, side, picture };
    }
  }
  return best;
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

/** Choose columns and size for the window as it is, and put every tile in its place. */
export function layOut() {
  root.style.setProperty("--bar", `${bar.offsetHeight}px`);
  const { columns, rows, rail, foot, side, picture } = arrange();
  state.columns = columns;
  grid.className = side;
  findAll(".block, .confirm").forEach((element) => element.remove());
  const headed = headedRows(columns);
  const tracks = [];
  const lines = []; // the grid line above each row of tiles
  for (let row = 0; row < rows; row++) {
    if (headed.has(row)) tracks.push("22px");
    lines.push(tracks.push(`${Math.floor(picture / aspect + 6 + foot)}px`));
    if (hasSuggestions) grid.append(makeRowButton(row, lines[row]));
  }
  const columnTracks = `repeat(${columns}, ${picture + 6 + rail}px)`;
  const buttons = hasSuggestions ? ` ${ROW_BUTTON}px` : "";
  grid.style.gridTemplate = `${tracks.join(" ")} / ${columnTracks}${buttons}`;
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
}

export function startLayout() {
  layOut();
  addEventListener("resize", layOut);
  new ResizeObserver(() => {
    if (`${bar.offsetHeight}px` !== root.style.getPropertyValue("--bar")) layOut();
  }).observe(bar);
}
