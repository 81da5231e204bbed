/**
 * Speak with what surrounds the page. In the portal, ui/portal/page.js passes on what is asked and
 * answers with events; in Ground Truth and in previews nobody listens, and the page does without.
 */

import { listen } from "./dom.js";

/** Ask the surroundings: "refresh" for new addresses of the pictures, "keep" to keep a draft. */
export function askHost(question, detail = null) {
  document.dispatchEvent(new CustomEvent(`tessera-${question}`, { detail }));
}

/** Do something with what the surroundings send: "addresses", "draft", "choices", "show". */
export function onHost(news, handler) {
  listen(`tessera-${news}`, ({ detail }) => handler(detail));
}
