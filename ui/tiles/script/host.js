/**
 * Speak with what surrounds the page. In the portal, ui/portal/page.js passes on what is asked and
 * answers with events; in Ground Truth and in previews nobody listens, and the page does without.
 */

import { listen } from "./dom.js";

/**
 * Ask the surroundings: "refresh" for new addresses of the pictures, "keep" to keep a draft,
 * "first" whether this is the worker's first page with these instructions, "begun" to remember it.
 */
export function askHost(question, detail = null) {
  document.dispatchEvent(new CustomEvent(`tessera-${question}`, { detail }));
}

/** Do something with what they send: "addresses", "draft", "choices", "welcome", "show". */
export function onHost(news, handler) {
  listen(`tessera-${news}`, ({ detail }) => handler(detail));
}
