/** Hand the page in, once every picture has its answer. */

import { find, now } from "./dom.js";
import { draw } from "./draw.js";
import { bookTime, goTo } from "./focus.js";
import { onHost } from "./host.js";
import { warn } from "./note.js";
import { log, state } from "./state.js";
import { firstGap, hasFailed, isDone, isOpen, tiles } from "./tiles.js";

const crowdForm = find("crowd-form");
const RESEND_AFTER = 2000; // milliseconds in which a second press is the first one's echo

let sentMs = -Infinity;

/** Write the page's log, as `meta` hands it in. */
function writeLog() {
  bookTime();
  const { columns, size } = state;
  return JSON.stringify({
    ...log,
    cols: columns,
    size,
    vw: innerWidth,
    vh: innerHeight,
    dpr: devicePixelRatio,
    submitMs: now(),
    tiles: tiles.map((tile) => tile.record),
    comment: find("#comment").value,
  });
}

function showGaps(gaps) {
  log.blockedSubmits++;
  draw(...gaps);
  goTo(gaps[0]);
  warn(`${gaps.length} of ${tiles.length} still need an answer. This is the first.`);
}

/** Send the answers, or go to the first picture without one. */
export function submit() {
  const gaps = tiles.filter(isOpen);
  if (gaps.length) return showGaps(gaps);
  const unanswered = tiles.filter((tile) => hasFailed(tile) && !isDone(tile)).length;
  if (unanswered === tiles.length) {
    return warn("Nothing to send: no picture could be loaded.");
  }
  if (now() - sentMs < RESEND_AFTER) return undefined;
  if (!crowdForm.submit) {
    return warn("Not sent: the labeling service is missing.");
  }
  sentMs = now();
  warn(unanswered ? `Sending … ${unanswered} did not load and stay open.` : "Sending …");
  return crowdForm.submit();
}

export function startSubmit() {
  onHost("show", () => { sentMs = -Infinity; }); // it may have been brought back, to be sent again
  crowdForm.onsubmit = (event) => {
    find("[name=meta]").value = writeLog();
    if (!firstGap() && tiles.some(isDone)) return;
    event.preventDefault();
    submit();
  };
}
