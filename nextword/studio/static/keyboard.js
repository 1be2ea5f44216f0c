// Keys for everything. A view says what its keys do; a button that has a key shows it, presses itself when the key
// is typed, and so can never promise a key that does nothing. Single letters are quiet while somebody types in a
// field, and can be switched off altogether (WCAG 2.1.4), because speech input types letters too.

import { h } from "./dom.js";
import { t } from "./i18n.js";

const SHOWN = { "mod+enter": "Ctrl ↵", enter: "↵", escape: "Esc", arrowleft: "←", arrowright: "→" };
const QUIET = "nextword.keys";

export const areOn = () => localStorage.getItem(QUIET) !== "off";
export const turn = (isOn) => localStorage.setItem(QUIET, isOn ? "on" : "off");

/** A button with its key on it. */
export function button(label, onclick, { key, kind = "", ...attributes } = {}) {
  const shown = key && h("kbd", { "aria-hidden": "true" }, SHOWN[key] ?? key.toUpperCase());
  return h("button", {
    type: "button", class: kind, onclick, "data-key": key, "aria-keyshortcuts": key && spoken(key), ...attributes,
  }, h("span", {}, label), shown);
}

const spoken = (key) => key.replace("mod", "Control").replace("enter", "Enter").replace("escape", "Escape");

/** The keys of what is on the page now, with what they do. */
export function list() {
  return [...document.querySelectorAll("[data-key]")]
    .filter(isPressable)
    .map((each) => [SHOWN[each.dataset.key] ?? each.dataset.key.toUpperCase(),
      each.dataset.says ?? each.querySelector("span")?.textContent ?? each.textContent]);
}

const isPressable = (element) => !element.matches(":disabled") && element.offsetParent !== null;

const TYPES = "textarea, select, [contenteditable], input:not([type=radio]):not([type=checkbox]):not([type=range])";

function onKey(event) {
  if (event.defaultPrevented || event.isComposing || event.altKey) return; // a Hangul syllable may be in the making
  const isModified = event.ctrlKey || event.metaKey;
  const key = (isModified ? "mod+" : "") + nameOf(event);
  if (!isModified && (!areOn() || event.target.closest?.(TYPES))) {
    if (key === "escape" && event.target.closest?.(TYPES)) event.target.blur();
    return;
  }
  if (key === "enter" && event.target.closest("button, a, summary")) return; // the button's own
  if (document.querySelector("dialog[open]")) return;
  if (key === "?") return showKeys();
  const wanted = [...document.querySelectorAll("[data-key]")].filter((each) => each.dataset.key === key && isPressable(each));
  if (wanted.length === 0) return;
  event.preventDefault();
  wanted[0].focus({ preventScroll: true });
  wanted[0].click();
}

/** A letter by its place on the keyboard: with a Korean layout the A key types ㅁ. */
function nameOf(event) {
  if (/^Key[A-Z]$/.test(event.code) && !/^[a-z]$/i.test(event.key)) return event.code.slice(3).toLowerCase();
  return event.key.toLowerCase();
}

/** The list of keys, and the switch for them. */
export function showKeys() {
  const keys = list();
  const close = button(t("close"), () => dialog.close());
  const dialog = h("dialog", { "aria-labelledby": "keys-title", onclose: () => dialog.remove() },
    h("h2", { id: "keys-title" }, t("keys.title")),
    h("dl", { class: "keys" },
      keys.map(([key, does]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, does))),
      h("div", {}, h("dt", {}, h("kbd", {}, "?")), h("dd", {}, t("keys.this")))),
    h("label", { class: "check" },
      h("input", { type: "checkbox", checked: areOn(), onchange: (event) => turn(event.target.checked) }), t("keys.on")),
    close);
  document.body.append(dialog);
  dialog.showModal();
}

export const listen = () => document.addEventListener("keydown", onKey);
