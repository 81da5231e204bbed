/* The portal: sign in, choose a job, page after page.
 *
 * The token lives in this document (and in sessionStorage, so that a reload keeps it), never in a
 * URL. A requester's page runs in a sandboxed frame and reaches this one by messages alone: an
 * answer, or a sign that somebody is at work. Answers go into an outbox that survives a reload and
 * waits for the network; a page leaves for good when the portal has said what became of it. */
import { begin, forget, inTime, isSignedIn, kept, signInAgain, signOut, token, worker } from "./session.js";
import { areOnlyHere, dropDraft, keepDraft, readDraft, sweepDrafts } from "./drafts.js";
import { hasBegun, noteBegun, practiceOf } from "./begun.js";
import { focusReview, startReview, stopReview } from "./review.js";
import { holdPage, reclaimPages, releaseOthers, releasePage, tasksElsewhere } from "./tabs.js";

(() => {
const one = selector => document.querySelector(selector);
const settings = document.documentElement.dataset;
const make = (name, text = "", attributes = {}) => {
  const element = Object.assign(document.createElement(name), { textContent: text });
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};
/** Wait so long; if the network comes back before, then no longer, and say so. */
const pause = ms => new Promise(done => {
  const over = new AbortController();
  addEventListener("online", done, { signal: over.signal });
  setTimeout(() => { over.abort(); done(); }, ms);
});
/** About so long: those who were refused together come back one after the other. */
const jittered = ms => ms * (.75 + Math.random() / 2);
const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

const outbox = kept.get("outbox", []); // [{ worker, job, task, answer }], what has not been sent
let isOutboxKept = true; // else a reload, which another worker's sign-in begins, too, would lose it
const own = entry => entry.worker === worker();
const keepOutbox = () => { isOutboxKept = kept.set("outbox", outbox); };

let noted = ""; // as it was written: on the page it may stand in another language
function note(text = "", kind = "") {
  const element = one("#note");
  noted = text;
  element.textContent = text;
  element.className = kind;
}

// ---- Asking the portal ----
/** Never: what was asked under a name that is no longer signed in here has no answer. */
const never = () => new Promise(() => {});

/** The response to one request, asked again until the portal has decided.
 *
 * With a number of `tries`, it is asked so often where the portal or what is before it does not
 * decide; then the response is null. */
async function ask(method, path, body, tries = Infinity) {
  const asker = worker();
  let trouble = "";
  const warn = text => note(trouble = text, "bad");
  for (let wait = 1000, refusals = 0, tried = 0; ;) {
    if (!asker || asker !== worker()) return never();
    try {
      const used = await token();
      if (asker !== worker()) return never();
      const headers = { Authorization: `Bearer ${used}` };
      if (body !== undefined) headers["Content-Type"] = "application/json";
      const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
      if (response.status === 401 && ++refusals < 3) { // a token that was ended, then a sign-in that was
        await (refusals === 1 ? token(used) : signInAgain());
        continue;
      }
      const content = response.status === 204 ? null : await response.json();
      if (isOurs(response) && content?.error === "Removed") { forget(content.message); return never(); }
      const again = Number(response.headers.get("Retry-After")) * 1000;
      if (isDecided(response, content)) {
        if (trouble && noted === trouble) note(); // it is over
        return { status: response.status, content, again };
      }
      warn(typeof content?.message === "string" ? content.message : `Something before the portal refused this (${response.status}). Trying again.`);
      if (++tried >= tries) return null;
    } catch (error) {
      if (asker !== worker()) return never(); // it is no matter of whoever has signed out meanwhile
      if (error instanceof SyntaxError || error instanceof TypeError || error.refused === undefined) warn("Offline. Your answers wait here and are sent when the connection is back.");
      else throw error;
    }
    const isBack = await pause(jittered(wait));
    wait = isBack ? 1000 : Math.min(wait * 2, 30_000);
  }
}

/** Whether the portal sent this. A proxy or a hotel's network may answer anything in its place.
 *
 * A portal that wrote no mark into this page is older than its files, and marks no response. */
const isOurs = response => !settings.mark || response.headers.get("tessera") === settings.mark;

/** Whether the portal itself has decided, and not for this moment alone. */
function isDecided(response, content) {
  const { status } = response;
  if (!isOurs(response) || status === 429 || status >= 500 || status === 401) return false;
  return status < 400 || Boolean(content.error || content.outcome);
}

// ---- The outbox ----
const TRIES = 4; // seven seconds or so, for which an answer that is not taken holds up those behind it
const nameOf = ({ job, task, corrects }) => `${job} ${task} ${Boolean(corrects)}`;
const unsent = new Map(); // name -> the page whose answer is on its way, to bring back if it is refused
const later = new Set(); // entries that wait a while; not written on them, for a reload must send them
let sending = null;
function send() {
  return sending ??= (async () => {
    for (let entry; (entry = outbox.find(each => own(each) && !later.has(each)));) {
      const { job, task, answer, corrects } = entry;
      note("Saving…");
      const response = await ask("PUT", `jobs/${job}/tasks/${task}/${corrects ? "correction" : "answer"}`, answer, TRIES);
      if (!response || response.content?.error === "UnknownJob") { keepForLater(entry, response); continue; }
      const { status, content } = response;
      outbox.splice(outbox.indexOf(entry), 1);
      keepOutbox();
      const page = unsent.get(nameOf(entry));
      unsent.delete(nameOf(entry));
      if (status === 200) note("Saved", "good");
      else note(content.message, "bad");
      if (status === 400 || status === 413) { bringBack(page); continue; }
      const sent = { worker: worker(), job, task, corrects };
      dropDraft(sent);
      if (content?.outcome === "different") { bringBack(Object.assign(page ?? {}, { corrects: true })); continue; }
      page?.frame.remove();
      releasePage(sent);
    }
    if (work?.isOver) thank();
  })().finally(() => { sending = null; });
}

/** Keep an answer that the portal cannot take now: it holds up no other, and is sent again. */
function keepForLater(entry, response) {
  later.add(entry);
  note(response ? "The portal does not know this job now. Your answer waits here and is sent again." : "The portal cannot take this answer now. It waits here and is sent again.", "bad");
  setTimeout(() => { later.delete(entry); send(); }, 30_000);
}

// ---- A job's pages ----
/** { job, current, ahead, waiting: the current page while an earlier one is in front,
 *    fetching: a page asked for, answered: tasks sent before, again: a timer, isOver } */
let work = null;
const NO_PAGE = { none: true, status: 0 }; // for work that is over meanwhile
/** Whether answers on a page are kept: it is neither to practice nor to qualify. */
const isStored = page => !page.labels && !page.qualifies;

async function start(job) {
  work = { job, current: null, ahead: null, fetching: null };
  document.body.classList.add("working");
  one("#where").textContent = "";
  await reclaimPages();
  await send();
  await advance(work);
}

function stop() {
  if (!work) return;
  for (const page of [work.current, work.ahead, work.waiting]) page?.frame.remove();
  clearTimeout(work.again);
  releaseOthers([...unsent.values()]);
  work = null;
  document.body.classList.remove("working");
  for (const button of ["#skip", "#earlier", "#onward"]) one(button).hidden = true;
}

/** The next page of the worker, in a frame out of sight; nothing if there is none. */
async function take(mine) {
  const open = [mine.current, mine.waiting, ...unsent.values()];
  const showing = open.filter(page => page?.job === mine.job && page.task !== undefined).map(page => page.task);
  for (;;) {
    const elsewhere = await tasksElsewhere(worker(), mine.job);
    const { status, content, again } = await ask("POST", `jobs/${mine.job}/claims`, { showing: [...showing, ...elsewhere] });
    if (content?.error === "Unqualified") return qualification(mine);
    if (status !== 200) return { none: true, status, again, elsewhere: elsewhere.length };
    if (mine !== work) return NO_PAGE;
    const page = { worker: worker(), job: mine.job, task: content.task };
    const isHeld = await holdPage(page);
    if (mine !== work) { if (isHeld) releasePage(page); return NO_PAGE; }
    if (isHeld) return frameOf(page, content);
    showing.push(content.task); // another tab was a moment faster
  }
}

/** The page by which the worker qualifies; nothing if they may not try now. */
async function qualification(mine) {
  const { status, content } = await ask("GET", `jobs/${mine.job}/qualification`);
  if (status !== 200) {
    if (status === 409) dropDraft({ worker: worker(), job: mine.job }); // of what was judged, though its response was lost
    return { none: true, status, unqualified: content.message };
  }
  if (mine !== work) return NO_PAGE;
  return frameOf({ worker: worker(), job: mine.job, qualifies: true, over: true }, content);
}

/** The sandbox for a page, which asks for it once it is there. */
const sandbox = (crowd, title) => make("iframe", "", { src: crowd ? "frame?crowd=aws" : "frame", sandbox: "allow-scripts", title });

/** A page with its frame, out of sight yet. */
function frameOf(page, content) {
  const now = Date.now(), frame = sandbox(content.crowd, "The page to label");
  Object.assign(page, { frame, html: content.page, practice: content.practice, seconds: content.seconds, until: now + content.seconds * 1000, active: now, marked: 0 });
  hide(page);
  one("#frames").append(frame);
  return page;
}

/** Take a page out of sight, with what is marked on it. */
function hide({ frame }) {
  frame.className = "ahead";
  frame.inert = true;
}

/** Take a page away, which other tabs may then have. */
function takeAway(page) {
  page.frame.remove();
  releasePage(page);
}

function present(mine, page) {
  mine.current = page;
  page.frame.className = "";
  page.frame.inert = false;
  one("#between").hidden = true;
  one("#earlier").hidden = !isStored(page);
  one("#skip").hidden = page.corrects || !isStored(page);
  one("#onward").hidden = !page.corrects && !page.labels;
  one("#onward").textContent = page.labels ? "Skip the practice" : "Back to the current page";
  one("#where").textContent = page.corrects ? "A page that you sent before: correct what is wrong, and submit it again." : page.labels ? "Practice: each answer is told right or wrong at once, and none is kept." : page.qualifies ? QUALIFY : "";
  page.active = Date.now();
  reveal(page);
  if (page.aheadOf) renewLease(page);
}

/** Let the page take the keyboard, as soon as it is there. */
function reveal(page) {
  page.frame.focus();
  page.frame.contentWindow.postMessage({ tessera: "show" }, "*");
  showFirst(page);
}

/** Let the page show what to do, if the worker has not begun the job with these instructions. */
function showFirst(page) {
  if (page.version !== undefined && !hasBegun(page)) page.frame.contentWindow.postMessage({ tessera: "welcome" }, "*");
}

/** The next page, asked for by one at a time, after the answers before it are in. */
function fetchNext(mine) {
  return mine.fetching ??= (async () => {
    await sending; // a seat is free again when the answer before is in
    return take(mine);
  })().finally(() => { mine.fetching = null; });
}

/** Show the page fetched ahead, or fetch one, or say that there is none. */
async function advance(mine) {
  let page = mine.ahead ?? await mine.fetching;
  // The machine slept meanwhile: nobody is to label what has gone to somebody else.
  if (page?.until < Date.now() && !page.over) await renewLease(page);
  if (!page || page.none || page.gone) page = await fetchNext(mine);
  if (mine !== work) return;
  if (mine.current) return keepAhead(mine, page); // the worker went back to an earlier page meanwhile
  if (page.none) return rest(mine, page);
  mine.ahead = null;
  if (page.practice && !hasBegun(practiceOf(page))) await practice(mine, page);
  else present(mine, page);
  fetchAhead(mine);
}

/** Let the worker practice, with the page that they were dealt behind it. */
async function practice(mine, page) {
  mine.waiting = page;
  const { status, content } = await ask("GET", `jobs/${mine.job}/practice`);
  if (mine !== work) return;
  if (status === 200) present(mine, frameOf({ worker: worker(), job: mine.job, labels: content.labels, over: true }, content));
  else goOn(mine);
}

/** Tell whether an answer of the practice is right. The sentence is the portal's, not the page's. */
function tellPractice(page, { name, choice }) {
  if (!Object.hasOwn(page.labels, name)) return;
  if (choice === page.labels[name]) note("Right.", "good");
  else note(`Not quite: this is ${page.labels[name]}.`, "bad");
}

/** Leave the practice page: for good, and for the work. */
function endPractice(mine) {
  const { current } = mine;
  noteBegun(practiceOf(current));
  current.frame.remove();
  mine.current = null;
  goOn(mine);
}

async function fetchAhead(mine) {
  if (mine.current?.qualifies || mine.waiting?.qualifies) return;
  const page = await fetchNext(mine);
  if (mine === work) keepAhead(mine, page);
}

/** Keep a page out of sight until the one in front is sent. */
function keepAhead(mine, page) {
  if (page.none || page === mine.current || unsent.has(nameOf(page))) return;
  page.aheadOf = !page.qualifies; // which has no lease
  mine.ahead = page;
}

const YOU_ARE_DONE = "You have labeled all that you may here: the other pages need somebody who has not seen their pictures.";
const YOU_ARE_STOPPED = "Thank you for your work here: this job needs no more pages of you, and all you sent is kept. Whoever invited you can tell you more.";

const QUALIFY = "Pictures to qualify: label them as well as you can. How many are right decides whether pages of this project follow.";

/** What a worker is told who has not passed: how they did, and when they may try again. */
function notPassed({ right, pictures, needed, attempts, again, now }) {
  const did = attempts ? `You had ${right} of ${pictures} pictures right, and this project asks for ${needed}.` : "";
  const next = again === null ? "Whoever invited you can let you try again." : again > now ? `You may try once more in ${hours(again - now)}.` : attempts ? "You may try once more." : QUALIFY;
  return [did, next].filter(Boolean);
}
const hours = seconds => count(Math.max(1, Math.ceil(seconds / 3600)), "hour");

/** Have the worker's qualification judged, and go on with the work if they have passed. */
async function sendQualification(mine, page, answer) {
  if (page.frame.inert) return; // it is on its way
  page.frame.inert = true;
  note("Saving…");
  const { status, content } = await ask("POST", `jobs/${mine.job}/qualification`, answer);
  if (mine !== work) return;
  if (status !== 200) { note(content.message, "bad"); if (status === 400) return present(mine, page); }
  dropDraft(page);
  page.frame.remove();
  mine.current = null;
  if (status !== 200) return advance(mine);
  if (!content.passed) { note(); return rest(mine, { status, unqualified: notPassed(content).join(" · ") }); }
  note("You have qualified. The pages follow.", "good");
  advance(mine);
}

const NOT_KNOWN = "The portal does not know this job now. If it comes back, its pages appear here.";
const ELSEWHERE = "You have this job's pages open in another tab. Go on there; if a page comes free, it appears here.";
const WITH_OTHERS = "The last pages are with others, or need somebody who has not seen their pictures. If one comes free, it appears here.";

/** Say that there is no page now; look again while the job is open. */
function rest(mine, { status, again, elsewhere, unqualified }) {
  one("#skip").hidden = true;
  one("#earlier").hidden = status !== 204;
  const unknown = status === 404 && !unqualified, over = status !== 204 && !unknown;
  const card = one("#between"), why = card.querySelector("p"), isFirst = card.hidden;
  mine.isOver = over && !unqualified;
  card.querySelector("h2").textContent = mine.isOver ? "This job is done" : "Nothing more for you right now";
  if (mine.isOver) thank();
  else if (unqualified) why.textContent = unqualified;
  else if (unknown) why.textContent = NOT_KNOWN;
  else if (elsewhere) why.textContent = ELSEWHERE;
  else if (isFirst) { // later looks leave what the list of jobs has told
    why.textContent = WITH_OTHERS;
    ask("GET", "jobs").then(({ content }) => {
      const job = content.jobs?.find(each => each.job === mine.job);
      if (job?.done_for_you && mine === work && !mine.current) why.textContent = job.stopped ? YOU_ARE_STOPPED : YOU_ARE_DONE;
    });
  }
  card.hidden = false;
  card.querySelector("button").focus();
  if (!over) mine.again = setTimeout(() => mine === work && advance(mine), jittered(again || 10_000));
}

/** Say at a job's end what is true then: an answer may still be on its way, or was not needed. */
function thank() {
  one("#between p").textContent = outbox.some(own) ? "Answers of yours wait here. Please keep this tab open until they are sent." : "Thank you. Every answer that was saved is kept.";
}

/** Show a page again whose answer was refused, as the worker left it. */
function bringBack(page) {
  if (!page?.frame) return;
  if (page.job !== work?.job) return takeAway(page); // it comes again with its job
  const other = work.current;
  if (other) {
    hide(other);
    if (work.ahead) takeAway(work.ahead);
    work.ahead = other;
  }
  present(work, page);
}

addEventListener("message", event => {
  const pages = [work?.current, work?.ahead, work?.waiting, seen, ...unsent.values()].filter(Boolean);
  const frames = [...document.querySelectorAll("iframe")];
  const frame = frames.find(each => each.contentWindow === event.source);
  if (!frame) return;
  const page = pages.find(each => each.frame === frame) ?? frame.page;
  const kind = event.data?.tessera;
  if (kind === "frame") return page ? deliver(page) : void (frame.waiting = true);
  if (page && kind === "link") offerLink(event.data.href);
  if (!page || page === seen) return;
  if (kind === "active") page.active = Date.now();
  if (kind === "refresh" && isStored(page) && !(since(page.renewed) < FRESH)) renewLease(page);
  if (kind === "practiced" && page.labels) tellPractice(page, event.data.detail);
  if (kind === "keep" && !page.labels) takeDraft(page, event.data.detail);
  if (kind === "first") { page.version = String(event.data.detail); if (page === work?.current) showFirst(page); }
  if (kind === "begun") noteBegun(page);
  if (kind === "ready") giveDraft(page);
  if (kind === "ready" && page === work?.current) reveal(page);
  if (kind === "answer" && page === work?.current) sendAnswer(page, event.data.answer);
});

const ONLY_HERE = "This browser keeps no marks: its cookies are blocked, or it is full. Submit before you close this tab.";
let isToldOfLoss = false;

/** Keep what is marked on a page, after each mark. */
function takeDraft(page, draft) {
  page.marked = Number(draft?.marked) || 0;
  keepDraft(page, draft);
  if (!areOnlyHere() || isToldOfLoss) return;
  isToldOfLoss = true;
  note(ONLY_HERE, "bad");
}

/** Give a page the marks that the worker left on it. */
function giveDraft(page) {
  const draft = page.labels ? null : readDraft(page);
  const tell = (kind, detail) => page.frame.contentWindow.postMessage({ tessera: kind, detail }, "*");
  if (page.labels) tell("practice", page.labels);
  else if (draft) tell("draft", draft);
  else if (page.choices) {
    tell("choices", page.choices);
    tell("flags", page.flags);
  }
  page.marked = draft?.marked ?? 0;
}

/** Offer to open what a page links to: by the worker's own click, in a tab that knows nothing of this one. */
function offerLink(href) {
  const address = URL.canParse(href) ? new URL(href) : { protocol: "" };
  // Not unasked: only in the moment after a key or a click.
  if (!/^(https?|mailto):$/.test(address.protocol) || !navigator.userActivation.isActive) return;
  const dialog = one("#link");
  Object.assign(dialog.querySelector("a"), { href: address.href, textContent: address.href });
  if (!dialog.open) dialog.showModal();
}
one("#link a").addEventListener("click", () => one("#link").close());
// What was asked in between leaves the keyboard to the page: after a sign-in, too, the keys go on.
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("close", () => work?.current ? reveal(work.current) : focusReview());
}

function deliver(page) {
  page.frame.contentWindow.postMessage({ page: page.html, words: window.tesseraWords }, "*");
}

function sendAnswer(page, answer) {
  const mine = work;
  if (page.labels) return endPractice(mine);
  if (page.qualifies) return sendQualification(mine, page, answer);
  mine.current = null;
  hide(page);
  unsent.set(nameOf(page), page);
  outbox.push({ worker: worker(), job: mine.job, task: page.task, answer, corrects: page.corrects });
  keepOutbox();
  send();
  goOn(mine);
}

/** Go on with the page that an earlier one was in front of, or with the next. */
function goOn(mine) {
  const page = mine.waiting;
  mine.waiting = null;
  if (page && !page.gone) present(mine, page);
  else advance(mine);
}

/** Show the page that the worker sent before the one in front, to correct it. */
async function goBack(mine) {
  const front = mine.current, position = front?.corrects ? mine.answered.indexOf(front.task) + 1 : 0;
  if (!position) {
    await sending; // the page sent last is one of them
    mine.answered = (await ask("GET", `jobs/${mine.job}/answers`)).content.tasks ?? [];
  }
  const task = mine.answered[position];
  if (!task) return note("There is no page before this one.");
  const { status, content } = await ask("GET", `jobs/${mine.job}/tasks/${task}/answer`);
  if (status !== 200) return note(content.message, "bad");
  if (mine !== work || mine.current !== front) return; // the worker went elsewhere meanwhile
  clearTimeout(mine.again);
  if (front?.corrects) front.frame.remove();
  else mine.waiting = front;
  if (front) hide(front);
  present(mine, frameOf({ worker: worker(), job: mine.job, task, corrects: true, choices: content.choices, flags: content.flags }, content));
}
one("#earlier").addEventListener("click", () => work && goBack(work));
one("#onward").addEventListener("click", () => {
  if (work.current.labels) return endPractice(work);
  work.current.frame.remove();
  work.current = null;
  goOn(work);
});

one("#skip").addEventListener("click", async event => {
  if (event.detail > 1) return; // a double press is one, and may have begun on what stood here before
  const mine = work, page = mine?.current;
  if (!page || page.marked && !await confirmSkip(page)) return;
  const { status, content } = await ask("DELETE", `jobs/${page.job}/tasks/${page.task}/lease`);
  if (status === 409) return note(content.message, "bad"); // skipped too often
  if (mine.current !== page) return; // it was sent meanwhile
  mine.current = null;
  takeAway(page);
  note("Given back");
  advance(mine);
});
/** Ask before others get a page on which something is marked. */
function confirmSkip(page) {
  const dialog = one("#confirm-skip");
  dialog.querySelector("b").textContent = count(page.marked, "picture");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise(done => dialog.addEventListener("close", () => done(dialog.returnValue === "skip"), { once: true }));
}
one("#between button").addEventListener("click", () => { location.hash = "#jobs"; });

// ---- Leases: renewed while somebody is at work on the page ----
const FRESH = 5000; // milliseconds for which addresses are not asked for again
const SLACK = 1000; // milliseconds by which clocks are set now and then

/** Milliseconds between a moment and now; of one that has not come yet, the clock was set back since. */
const since = moment => Math.abs(Date.now() - moment);

/** Renew a page's lease; its pictures get addresses that last as long. */
async function renewLease(page) {
  page.renewed = Date.now();
  const path = `jobs/${page.job}/tasks/${page.task}`;
  // A page that was sent has no seat to keep; it gets addresses with its answer.
  const { status, content } = page.corrects ? await ask("GET", `${path}/answer`) : await ask("PUT", `${path}/lease`);
  if (status === 200) {
    page.seconds = content.seconds; // of a page that was come back to, more than were left
    page.until = Date.now() + content.seconds * 1000;
    page.frame.contentWindow?.postMessage({ tessera: "addresses", detail: content.addresses }, "*");
  }
  else if (page !== work?.current) letGo(page);
  else if (status === 404) note(`${content.message} You can still send it: it counts if it is needed.`, "bad");
  else if (page.marked || page.corrects) note(content.message, "bad"); // the job has ended
  else { // nothing is lost: what was sent last stands in the note, and the job's end on its card
    letGo(page);
    work.current = null;
    advance(work);
  }
  page.over = status !== 200;
}
/** Forget a page without marks that is the worker's no more. */
function letGo(page) {
  if (page.marked || page.corrects) return;
  page.gone = true;
  takeAway(page);
  if (work?.ahead === page) work.ahead = null;
}
setInterval(() => {
  for (const page of [work?.current, work?.ahead, work?.waiting]) {
    if (!page || page.over) continue;
    const left = page.until - Date.now(), full = page.seconds * 1000;
    const active = since(work.current?.active ?? 0) < full / 2 && !document.hidden;
    // More than all of it is left where the clock was set back: how long it is held nobody knows then.
    const isDue = left < full / 2 || left > full + SLACK;
    if (isDue && active) { page.until = Date.now() + full; renewLease(page); }
    else if (page === work.current && !page.corrects && left > 0 && left < 120_000) note("This page goes to somebody else in two minutes. Any key keeps it.", "bad");
  }
}, 10_000);

// ---- The list of jobs ----
function duration(seconds) {
  return seconds < 90 ? count(Math.round(seconds), "second") : count(Math.round(seconds / 60), "minute");
}

/** A review in the list, for those who may decide it. */
function reviewItem({ run, title, project, images }) {
  const item = make("li"), words = make("div"), acts = make("div");
  acts.className = "acts";
  words.append(make("h2", title, { translate: "no" }), make("p", [project, `${images.toLocaleString("en")} to review`].filter(Boolean).join(" · ")));
  const go = make("button", "Review", { "aria-label": `Review: ${title}`, href: `#review/${run}` });
  go.addEventListener("click", () => { location.hash = `#review/${run}`; });
  acts.append(go);
  item.append(words, acts);
  return item;
}

async function listJobs() {
  const { content } = await ask("GET", "jobs");
  const reviews = me?.reviewer ? (await ask("GET", "reviews")).content.reviews ?? [] : [];
  const list = one("#jobs ul");
  const focused = document.activeElement?.getAttribute?.("href");
  list.replaceChildren(...content.jobs.map(job => {
    const item = make("li"), words = make("div"), acts = make("div");
    acts.className = "acts";
    words.append(make("h2", job.title, { translate: "no" }));
    const left = job.left_for_you ? `${count(job.left_for_you, "page")} left for you` : job.stopped ? YOU_ARE_STOPPED : job.done_for_you ? YOU_ARE_DONE : "Every page is taken";
    words.append(make("p", [job.project, left, `up to ${duration(job.minutes * 60)} a page`].filter(Boolean).join(" · ")));
    if (job.qualification) words.append(...notPassed(job.qualification).map(text => make("p", text)));
    if (job.mine.answers) words.append(make("p", `You did ${job.mine.answers} of ${count(job.tasks, "page")}, ${count(job.mine.images, "image")}, ${(job.mine.seconds / Math.max(1, job.mine.images)).toFixed(1)} seconds an image.`));
    const go = make("button", "Start", { "aria-label": `Start: ${job.title}`, href: `#job/${job.job}` });
    go.className = "main";
    go.addEventListener("click", () => { location.hash = `#job/${job.job}`; });
    if (me?.requester) {
      words.append(make("p", job.job, { translate: "no" }));
      const look = make("button", "Progress", { "aria-label": `Progress: ${job.title}` });
      look.addEventListener("click", () => { location.hash = `#progress/${job.job}`; });
      acts.append(look);
    }
    if (job.member) acts.append(go);
    item.append(words, acts);
    return item;
  }), ...reviews.map(reviewItem));
  if (focused) [...list.querySelectorAll("button")].find(button => button.getAttribute("href") === focused)?.focus();
  // What is wrong with one job hides no other, and a job that is missing from the list is not over.
  one("#jobs .broken").replaceChildren(...content.broken.map(job =>
    make("p", `The job ${job} cannot be read right now. That is reported; the answers in it are kept.`)));
  one("#jobs .none").hidden = content.jobs.length + content.broken.length + reviews.length > 0;
}

// ---- A requester's view ----
function ago(moment) {
  const minutes = Math.round(Date.now() / 60_000 - moment / 60);
  if (minutes < 1) return "now";
  if (minutes < 120) return `${minutes} min ago`;
  return minutes < 2880 ? `${Math.round(minutes / 60)} h ago` : `${Math.round(minutes / 1440)} days ago`;
}
const share = value => value === null ? "–" : `${(value * 100).toFixed(1)} %`;
async function showProgress(job) {
  const { status, content } = await ask("GET", `jobs/${job}`);
  if (status !== 200) { location.hash = "#jobs"; return; }
  const view = one("#progress");
  view.querySelector("h1").textContent = content.title;
  view.querySelector(".lead").textContent = `${content.status}${content.team ? ` · team ${content.team}` : ""} · ${content.job}`;
  const part = content.needed ? content.answers / content.needed : 1;
  Object.assign(view.querySelector("#share progress"), { value: part });
  view.querySelector("#share b").textContent = `${(part * 100).toFixed(part < .1 ? 1 : 0)} %`;
  const figures = {
    "Answers in": `${content.answers.toLocaleString("en")} of ${content.needed.toLocaleString("en")}`,
    "Answers an hour": content.answers_an_hour ? Math.round(content.answers_an_hour).toLocaleString("en") : "–",
    "Time left": content.hours_left === null ? "–" : content.hours_left < 1 ? `${Math.max(1, Math.ceil(content.hours_left * 60))} min` : `${content.hours_left.toFixed(1)} h`,
    "Agreement": share(content.agreement),
    "On gold images": share(content.gold_accuracy),
    ...content.qualification && { "Qualified": `${content.qualification.passed} of ${content.qualification.tried}` },
  };
  one("#figures").replaceChildren(...Object.entries(figures).map(([name, value]) => {
    const item = make("div");
    item.append(make("dt", name), make("dd", value));
    return item;
  }));
  one("#failures").hidden = !content.failures.length;
  view.querySelector("#failures ul").replaceChildren(...content.failures.map(failure =>
    make("li", `Page ${failure.task}, ${failure.set_aside ? "set aside" : "tried again"}: ${failure.reason}`)));
  const { pictures, flags, comments, more } = content.flagged;
  one("#flags").hidden = !flags.length && !comments.length;
  const many = pictures.toLocaleString("en");
  one("#flags h2").textContent = more ? `${many} pictures flagged, or more` : pictures === 1 ? "1 picture flagged" : `${many} pictures flagged`;
  view.querySelector("#flags ul").replaceChildren(
    ...flags.map(({ task, image, reason, worker }) => make("li", `Page ${task}, line ${Number(image) + 1}: ${reason}, says ${worker}`)),
    ...comments.map(({ task, comment, worker }) => make("li", `Comment on page ${task}: ${comment}, says ${worker}`)));
  view.querySelector("tbody").replaceChildren(...content.workers.map(worker => {
    const row = make("tr");
    row.append(...[worker.name ?? worker.worker, worker.answers, worker.images, worker.images_an_hour?.toLocaleString("en") ?? "–", share(worker.agreement), worker.stopped ? `${share(worker.gold_accuracy)}, stopped` : share(worker.gold_accuracy), ago(worker.last)].map(text => make("td", String(text))));
    return row;
  }));
  one("#look [name=task]").max = content.tasks - 1;
}

/** Who answered what of each picture of a page, in the order of the page; rows of disagreement stand out. */
function choicesTable({ images, answers }) {
  const head = make("tr"), body = make("tbody"), table = make("table");
  head.append(make("th", "Picture", { scope: "col" }), ...answers.map(({ worker }) => make("th", worker, { scope: "col", translate: "no" })));
  for (const [at, index] of images.entries()) {
    const row = make("tr"), chosen = answers.map(({ choices }) => choices[index] ?? "–");
    row.className = new Set(chosen).size > 1 ? "disputed" : "";
    row.append(make("th", `${at + 1}`, { scope: "row" }), ...chosen.map(choice => make("td", choice, { translate: "no" })));
    body.append(row);
  }
  const top = make("thead");
  top.append(head);
  table.append(top, body);
  return table;
}

let seen = null; // a task that a requester looks at
one("#look").addEventListener("submit", async event => {
  event.preventDefault();
  const number = event.target.elements.task.value, job = location.hash.split("/")[1];
  const { status, content } = await ask("GET", `jobs/${job}/tasks/${number}`);
  const box = one("#seen");
  box.hidden = false;
  box.querySelector("h2").textContent = status === 200 ? `Page ${number}, to look at` : content.message;
  box.querySelector("ul").replaceChildren(...(content.answers ?? []).map(answer => make("li", `${answer.worker}: ${answer.summary}, in ${duration(answer.seconds)}${Object.keys(answer.flags).length ? `, flagged: ${Object.values(answer.flags).join("; ")}` : ""}${answer.comment ? `. “${answer.comment}”` : ""}`)));
  const table = box.querySelector(".scroll");
  table.hidden = !content.answers?.length;
  table.replaceChildren(...table.hidden ? [] : [choicesTable(content)]);
  seen = status === 200 ? { frame: sandbox(content.crowd, `Page ${number}`), html: content.page } : null;
  box.querySelector(".page").replaceChildren(...seen ? [seen.frame] : []);
});

// ---- Which view ----
let me = null, refreshing = null;
const BEFORE = ["sign-in", "new-password", "forgot", "authenticator"]; // views without anybody in
const TITLES = { "sign-in": "Sign in", "new-password": "Choose a password", forgot: "Forgotten password", authenticator: "Authenticator app", jobs: "Your work", task: "Labeling", progress: "Progress", review: "Review" };
function show(name) {
  for (const view of document.querySelectorAll("body > main")) view.hidden = view.id !== name;
  one("#bar").hidden = BEFORE.includes(name);
  if (BEFORE.includes(name)) note(); // of what nobody is at any more
  document.title = `${TITLES[name]} · Tessera`;
  const first = one(`#${name} input:not([hidden])`);
  if (BEFORE.includes(name)) first?.focus();
}

async function route() {
  clearInterval(refreshing);
  if (!isSignedIn()) return;
  const [view, job] = location.hash.slice(1).split("/");
  if (view !== "job" || work?.job !== job) stop();
  if (view !== "review") stopReview();
  note();
  if (view === "job" && job) {
    show("task");
    if (!work) await start(job);
  } else if (view === "progress" && job) {
    show("progress");
    one("#seen").hidden = true;
    const look = () => document.hidden || showProgress(job);
    refreshing = setInterval(look, 15_000);
    await showProgress(job);
  } else if (view === "review" && job) {
    show("review");
    one("#where").textContent = "";
    await startReview(job, { ask, make, note, one });
  } else {
    show("jobs");
    one("#where").textContent = "";
    refreshing = setInterval(() => document.hidden || listJobs(), 15_000);
    await listJobs();
  }
}
addEventListener("hashchange", route);

async function enter() {
  show("jobs");
  me = (await ask("GET", "me")).content;
  one("#who").textContent = me.name ?? "";
  sweepDrafts();
  send();
  await route();
  if (outbox.some(entry => !own(entry))) note("Answers of somebody else wait in this tab. They are sent when that person signs in here again.", "bad");
}

one("#leave").addEventListener("click", async () => {
  const pages = [work?.current, work?.ahead, work?.waiting].filter(page => page && !page.corrects && isStored(page));
  stop();
  // Without a network a sign-out must not wait for it.
  await inTime(send());
  // What is marked stays on its page, and the page the worker's, until its time is up.
  await inTime(Promise.all(pages.filter(page => !page.marked).map(page => ask("DELETE", `jobs/${page.job}/tasks/${page.task}/lease`))));
  const left = outbox.filter(own).length;
  await signOut(left ? `You are signed out. ${count(left, "answer")} could not be sent: they wait in this tab until you sign in here again.` : "");
});
addEventListener("beforeunload", event => { if (outbox.some(own) || outbox.length && !isOutboxKept || areOnlyHere()) event.preventDefault(); });

begin({ enter, show });
})();
