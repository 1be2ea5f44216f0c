// Flagging: an answer that went wrong becomes a task to correct it, ahead of the queue. One button beside what a
// model said; it asks which answer, where there are several, and why.

import { field, h } from "./dom.js";
import { t } from "./i18n.js";
import { button } from "./keyboard.js";
import { toast } from "./live.js";
import { dialog, form } from "./shell.js";

/** A button that flags one of so many answers; send(why, which) returns the number of the task made. */
export const flagging = (count, send) => button(t("flag"), () => ask(count, send), { key: "f", kind: "quiet" });

/** How many answers by others a task shows whole, for judging: drafts and reviewed answers are mended where they are. */
export const answersOf = ({ kind, material }) => (kind === "compare" ? material.answers.length : kind === "rate" ? 1 : 0);

function ask(count, send) {
  const why = h("textarea", { class: "small", name: "why", required: true, maxlength: 10000, autofocus: count === 1 });
  const which = count > 1 && h("fieldset", {}, h("legend", {}, t("flag.which")), Array.from({ length: count }, (_, at) =>
    h("label", { class: "check" }, h("input", { type: "radio", name: "which", value: at, required: true, autofocus: at === 0 }), t("kind.compare.answer", { name: at + 1 }))));
  dialog(t("flag.title"), (close) => [
    h("p", { class: "dim" }, t("flag.text")),
    form(t("flag"), [which, field(t("flag.why"), why)], async (values) => {
      const made = await send(values.get("why"), Number(values.get("which") ?? 0));
      close();
      toast(t("flag.done", { n: made }));
    }),
    button(t("cancel"), close, { kind: "quiet" })]);
}
