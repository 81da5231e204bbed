/** A review: pictures of a run with the crowd's answers, in a sandbox without the portal's token.
 *
 * The page there shows and asks; every decision is sent from here, one after the other, and the
 * page is told what became of it. */

const state = { frame: null, run: "", content: null, queue: Promise.resolve(), unsent: 0 };

/** Tell the page in the sandbox something. */
const tell = (kind, detail) => state.frame?.contentWindow?.postMessage({ tessera: kind, detail }, "*");

/** Show a run's review; `portal` has the portal's own ask, make, note and one. */
export async function startReview(run, portal) {
  stopReview();
  state.run = run;
  const { status, content } = await portal.ask("GET", `reviews/${run}`);
  if (status !== 200) return portal.note(content.message, "bad");
  if (state.run !== run) return undefined;
  Object.assign(state, { content, portal });
  state.frame = portal.make("iframe", "", { src: "frame", sandbox: "allow-scripts", title: "The pictures to review" });
  portal.one("#review-frame").replaceChildren(state.frame);
  return undefined;
}

/** Give the keyboard to the review, if one is shown. */
export function focusReview() {
  state.frame?.focus();
}

/** Leave the review; what was decided is sent all the same. */
export function stopReview() {
  state.frame?.remove();
  Object.assign(state, { frame: null, run: "", content: null });
}

/** Send one decision after those before it, so that the last one a reviewer made counts. */
function decide({ index, label, undoing }) {
  const { run, portal } = state;
  portal.note("Saving…");
  state.unsent += 1;
  state.queue = state.queue.then(async () => {
    const { status, content } = await portal.ask("PUT", `reviews/${run}/images/${index}`, { label });
    state.unsent -= 1;
    if (status === 200) { if (!state.unsent) portal.note("Saved", "good"); }
    else { portal.note(content.message, "bad"); if (run === state.run) tell("refused", { index, undoing }); }
  });
}

async function sign(images) {
  const { run, portal } = state;
  const { status, content } = await portal.ask("POST", `reviews/${run}/addresses`, { images });
  if (status !== 200) portal.note(content.message, "bad");
  else if (run === state.run) tell("addresses", content.addresses);
}

// What is on its way is sent from here alone: a tab that is closed would take it along.
addEventListener("beforeunload", event => { if (state.unsent) event.preventDefault(); });

addEventListener("message", event => {
  if (!state.frame || event.source !== state.frame.contentWindow) return;
  const { tessera: kind, detail } = event.data ?? {};
  if (kind === "frame") state.frame.contentWindow.postMessage({ page: state.content.page, words: window.tesseraWords }, "*");
  if (kind === "ready") { tell("review", { ...state.content, page: undefined }); focusReview(); }
  if (kind === "decide" && Number.isInteger(detail?.index)) decide(detail);
  if (kind === "sign" && Array.isArray(detail)) sign(detail.filter(Number.isInteger));
});
