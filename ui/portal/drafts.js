/** Drafts: what a worker marked on pages that are not sent yet, kept in this browser.
 *
 * They lie in localStorage, by worker, job and task, so that they outlive a reload, a crash and a
 * sign-out. Where that is shut off or full they lie in this tab alone, which asks before it closes.
 * A draft holds indexes and labels, no picture and no address. */

const DAYS_KEPT = 30; // longer than a job waits for a page by default
const MOST = 512 * 1024; // characters: what an answer may have; a page of a hundred pictures takes a tenth
const PREFIX = "draft ";

/** What a page's draft is called; the page by which a worker qualifies is no task. */
const nameOf = ({ worker, job, task = "qualification", corrects }) => `${PREFIX}${worker} ${job} ${task}${corrects ? " again" : ""}`;

/** When a draft was kept; one that cannot be read is older than all. */
function keptAt(name) {
  try { return JSON.parse(localStorage[name]).at; } catch { return 0; }
}

/** Names of all drafts in this browser, the oldest first. */
function names() {
  const all = Object.keys(localStorage).filter(name => name.startsWith(PREFIX));
  return all.sort((one, other) => keptAt(one) - keptAt(other));
}

const inThisTab = new Map(); // name -> what the browser does not keep

/** Whether marks would be lost with this tab. */
export const areOnlyHere = () => inThisTab.size > 0;

/** The draft of a page, or null. */
export function readDraft(page) {
  if (inThisTab.has(nameOf(page))) return inThisTab.get(nameOf(page));
  try { return JSON.parse(localStorage.getItem(nameOf(page))).draft; } catch { return null; }
}

/** Keep what is marked on a page; where the browser has no more room, the oldest draft goes. */
export function keepDraft(page, draft) {
  const name = nameOf(page), text = JSON.stringify({ at: Date.now(), draft });
  inThisTab.delete(name);
  if (text.length > MOST) return;
  try {
    localStorage.setItem(name, text);
  } catch {
    try {
      localStorage.removeItem(names().find(other => other !== name));
      localStorage.setItem(name, text);
    } catch { // storage is shut off, or full of other things
      inThisTab.set(name, draft);
    }
  }
}

/** Forget a page's draft: its answer is saved, or nobody needs it. */
export function dropDraft(page) {
  inThisTab.delete(nameOf(page));
  try { localStorage.removeItem(nameOf(page)); } catch { /* nothing was kept */ }
}

/** Forget the drafts of pages that nobody came back to. */
export function sweepDrafts() {
  try {
    const oldest = Date.now() - DAYS_KEPT * 86_400_000;
    for (const name of names().filter(each => keptAt(each) < oldest)) localStorage.removeItem(name);
  } catch { /* nothing was kept */ }
}
