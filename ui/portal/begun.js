/** Jobs that workers have begun in this browser, each with the version of its instructions.
 *
 * A page shows its instructions by itself on a worker's first page of a job, and again when they
 * have changed. What this browser forgets, or another one never knew, is shown once more. */

const MOST = 200; // jobs of one worker: more than anybody works on at a time
const nameOf = ({ worker }) => `begun ${worker}`;

/** Entries [job, version] of a worker, the oldest first. */
function entriesOf(page) {
  try { return JSON.parse(localStorage.getItem(nameOf(page))) ?? []; } catch { return []; }
}

const begunHere = new Set(); // where storage is shut off: once for each visit

/** What the worker's practice is remembered by: once for all jobs of a run. */
export const practiceOf = ({ worker, practice }) => ({ worker, job: `practice ${practice}`, version: "done" });

/** Whether the worker has begun this page's job with these instructions. */
export function hasBegun(page) {
  const { job, version } = page;
  return begunHere.has(`${nameOf(page)} ${job} ${version}`) || entriesOf(page).some(entry => entry[0] === job && entry[1] === version);
}

/** Remember that the worker has begun it. */
export function noteBegun(page) {
  const { job, version } = page;
  begunHere.add(`${nameOf(page)} ${job} ${version}`);
  const entries = [...entriesOf(page).filter(entry => entry[0] !== job), [job, version]];
  try { localStorage.setItem(nameOf(page), JSON.stringify(entries.slice(-MOST))); } catch { /* it is told again on the next visit */ }
}
