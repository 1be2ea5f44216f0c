// What happened, said where everybody notices: a short text on the screen that screen readers read too, or for
// them alone where the screen shows it anyway.

import { h } from "./dom.js";

const LASTS = 6000;

/** Tell screen readers only. */
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = "";
  setTimeout(() => { place.textContent = text; }, 50); // the same words twice are news only after a silence
}

/** Show a line at the foot of the page, perhaps with a button, and read it aloud. */
export function toast(text, { kind = "good", action } = {}) {
  const line = h("div", { class: `toast ${kind}` }, h("span", {}, text), action);
  const place = document.getElementById("toasts");
  place.replaceChildren(line);
  say(text);
  setTimeout(() => line.remove(), kind === "bad" ? 2 * LASTS : LASTS);
}
