// A draft that cannot be lost. Each keystroke goes to this browser's storage at once and to the server a moment
// later; what the server has not confirmed is offered to it again when the task is next opened, also after a crash.
// Two tabs cannot overwrite each other: the server counts revisions, and refuses the older one.

import * as api from "./api.js";
import { clock, t } from "./i18n.js";

const PREFIX = "nextword.draft.";
const SOON = 700;
const ALIVE = 30_000;

/** Drop every draft that this browser keeps (the server has its own). */
export function forgetDrafts() {
  for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) localStorage.removeItem(key);
}

const same = (one, other) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));

/** A database may give the fields back in another order. */
const sorted = (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value)
    ? Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]))
    : value;

/** Keeps one task's draft. `status` is an element that says how it stands. */
export class Draft {
  constructor(item, status) {
    this.task = item.task;
    this.key = `${PREFIX}${api.me().id}.${item.task}`;
    this.status = status;
    this.revision = item.revision;
    this.value = item.draft;
    this.isOpen = item.state === "pending" || item.state === "draft";
    this.timer = this.sending = null;
    this.isLost = false;
    this.used = Date.now();
    this.recover();
    if (this.isOpen) this.listen();
  }

  /** Take up what this browser kept and the server never confirmed. Where the server has something newer, too, a
   * person must choose: then it is in `this.other`. */
  recover() {
    const kept = JSON.parse(localStorage.getItem(this.key) ?? "null");
    if (kept === null || !this.isOpen) return;
    if (same(kept.value, this.value)) {
      localStorage.removeItem(this.key);
    } else if (kept.revision === this.revision) {
      this.value = this.recovered = kept.value;
      this.tell(t("draft.recovered"));
      this.schedule();
    } else {
      this.other = kept.value;
    }
  }

  listen() {
    this.alive = setInterval(() => this.touch(), ALIVE);
    this.hiding = () => { if (document.visibilityState === "hidden") this.flush(true); };
    this.using = () => { this.used = Date.now(); };
    document.addEventListener("visibilitychange", this.hiding);
    window.addEventListener("pagehide", this.hiding);
    for (const name of ["keydown", "pointerdown", "scroll"]) document.addEventListener(name, this.using, { passive: true });
  }

  /** The person has changed something. */
  change(value) {
    this.value = value;
    localStorage.setItem(this.key, JSON.stringify({ value, revision: this.revision }));
    this.tell(t("draft.typing"));
    this.schedule();
  }

  schedule() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), SOON);
  }

  /** Save now what waits to be saved. */
  async flush(isLeaving = false) {
    clearTimeout(this.timer);
    if (this.sending && !isLeaving) await this.sending;
    if (this.isLost || localStorage.getItem(this.key) === null) return;
    this.sending = this.send(isLeaving);
    await this.sending;
    this.sending = null;
  }

  async send(isLeaving) {
    const sent = JSON.stringify(this.value);
    try {
      const saved = await api.save(this.task, this.value, this.revision, isLeaving);
      this.revision = saved.revision;
      if (JSON.stringify(this.value) === sent) {
        localStorage.removeItem(this.key);
        this.tell(saved.is_held ? t("draft.saved", { at: clock(Date.now()) }) : t("draft.not_held"));
      } else {
        localStorage.setItem(this.key, JSON.stringify({ value: this.value, revision: this.revision }));
        this.schedule();
      }
    } catch (error) {
      await this.refused(error);
    }
  }

  async refused(error) {
    if (error.code === "draft_is_newer" && (await this.isOurs())) return;
    if (error.code === "draft_is_newer") {
      this.isLost = true; // the other tab goes on; this one must not
      localStorage.removeItem(this.key);
    } else if (error.status === 0 || error.status >= 500) {
      this.timer = setTimeout(() => this.flush(), 5000);
    }
    this.tell(error.status === 0 ? t("draft.offline") : error.message, true);
  }

  /** Whether the newer draft is what this very page sent while it was being left; then go on from there. */
  async isOurs() {
    const item = await api.open(this.task).catch(() => null);
    if (item === null || ![this.value, this.recovered].some((ours) => same(ours, item.draft))) return false;
    this.revision = item.revision;
    if (same(this.value, item.draft)) {
      localStorage.removeItem(this.key);
      this.tell(t("draft.saved", { at: clock(Date.now()) }));
    } else {
      this.schedule();
    }
    return true;
  }

  async touch() {
    if (document.visibilityState === "hidden" || Date.now() - this.used > 2 * ALIVE || this.isLost) return;
    try {
      const { is_held } = await api.touch(this.task);
      if (!is_held) this.tell(t("draft.not_held"), true);
    } catch {
      // a sign of life that was lost is followed by the next
    }
  }

  tell(text, isBad = false) {
    this.status.textContent = text;
    this.status.classList.toggle("bad", isBad);
  }

  /** The answer is handed in or given up: there is nothing to keep. */
  finish() {
    clearTimeout(this.timer);
    localStorage.removeItem(this.key);
    this.close();
  }

  close() {
    clearInterval(this.alive);
    document.removeEventListener("visibilitychange", this.hiding);
    window.removeEventListener("pagehide", this.hiding);
    for (const name of ["keydown", "pointerdown", "scroll"]) document.removeEventListener(name, this.using);
  }
}
