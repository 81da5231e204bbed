/** Tabs: no two of one browser show the same page.
 *
 * A tab holds a lock of the browser for each page that it shows or has fetched ahead. A lock ends
 * with its tab, however that ends. Without locks (they need https or this machine) two tabs may get
 * the same page; the portal then keeps the first answer and says so of the second. */

const PREFIX = "page ";
const PATIENCE = 2000; // milliseconds in which a tab that was reloaded gets its own locks back
const REMEMBERED = "pages of this tab";

const held = new Map(); // name of a lock -> what lets go of it

const nameOf = ({ worker, job, task }) => `${PREFIX}${worker} ${job} ${task}`;
/** Note for a reload what this tab holds; where storage is shut off or full, a reload forgets. */
function remember() {
  try { sessionStorage.setItem(REMEMBERED, JSON.stringify([...held.keys()])); } catch { /* as above */ }
}

/** Take a lock; false if another tab does not let go of it in time. */
function take(name, patience) {
  if (held.has(name) || !navigator.locks) return Promise.resolve(true);
  return new Promise(done => {
    const keep = () => new Promise(letGo => {
      held.set(name, letGo);
      remember();
      done(true);
    });
    const signal = AbortSignal.timeout(patience);
    // Refused for another reason, where storage is shut off, there are no locks: as without them.
    navigator.locks.request(name, { signal }, keep).catch(() => done(!signal.aborted));
  });
}

/** Hold a page for this tab; false if another tab shows it. */
export const holdPage = page => take(nameOf(page), 100);

/** Let other tabs have a page. */
export function releasePage(page) {
  held.get(nameOf(page))?.();
  held.delete(nameOf(page));
  remember();
}

/** Let other tabs have all pages but those whose answers are on their way. */
export function releaseOthers(pages) {
  const names = pages.map(nameOf);
  for (const [name, letGo] of held) {
    if (names.includes(name)) continue;
    letGo();
    held.delete(name);
  }
  remember();
}

/** Get the pages back that this tab held before it was reloaded. */
export async function reclaimPages() {
  let names = [];
  try { names = JSON.parse(sessionStorage.getItem(REMEMBERED)) ?? []; } catch { /* a new tab */ }
  await Promise.all(names.map(name => take(name, PATIENCE)));
}

/** The tasks of a job that other tabs show. */
export async function tasksElsewhere(worker, job) {
  if (!navigator.locks) return [];
  const prefix = nameOf({ worker, job, task: "" });
  const { held: locks } = await navigator.locks.query().catch(() => ({ held: [] }));
  const names = locks.map(lock => lock.name).filter(name => name.startsWith(prefix) && !held.has(name));
  return names.map(name => name.slice(prefix.length));
}
