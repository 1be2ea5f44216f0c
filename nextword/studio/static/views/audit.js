// The audit: what was done, by whom and when; and the check that none of it was rewritten.

import * as api from "../api.js";
import { field, h, put, table } from "../dom.js";
import { moment, t } from "../i18n.js";
import { button } from "../keyboard.js";
import { attempt, form } from "../shell.js";

const PAGE = 100;

export async function audit(place) {
  const verdict = h("div", { role: "status" });
  const list = h("section", {});
  const subject = h("input", { name: "subject", placeholder: "task 12" });
  put(place, h("div", { class: "crumb" }, h("h1", {}, t("audit.title")), button(t("audit.verify"), () => verify(verdict), { kind: "main", key: "v" })),
    h("p", { class: "lead" }, t("audit.lead")), verdict,
    form(t("audit.show"), field(t("audit.subject"), subject, t("audit.subject_hint")), () => show(list, subject.value.trim(), 0), { kind: "" }), list);
  await show(list, "", 0);
}

const verify = (place) => attempt(async () => {
  const found = await api.verify();
  put(place, h("div", { class: `alert ${found.problems.length ? "bad" : "good"}` },
    h("p", {}, found.problems.length ? t("audit.bad", { n: found.problems.length }) : t("audit.good", { n: found.entries }), " ", h("code", {}, found.head.slice(0, 16))),
    found.problems.map((each) => h("p", {}, each))));
});

async function show(list, subject, after) {
  const entries = await api.audit(after, subject);
  put(list, entries.length === 0 ? h("p", { class: "dim" }, t("audit.none"))
    : table(t("audit.title"), ["№", t("audit.at"), t("audit.actor"), t("audit.action"), t("audit.on"), t("audit.facts")], entries.map((each) => [
      each.number, moment(each.at), h("code", {}, each.actor), each.action, each.subject, h("code", { class: "facts-code" }, JSON.stringify(each.facts)),
    ])),
    h("div", { class: "actions" }, after > 0 && button(t("audit.first"), () => show(list, subject, 0)),
      entries.length === PAGE && button(t("more"), () => show(list, subject, entries.at(-1).number))));
}
