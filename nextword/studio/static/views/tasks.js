// All tasks of a project, for reviewers; owners may ask more people, or take a task out.

import * as api from "../api.js";
import { h, put, table } from "../dom.js";
import { day, t } from "../i18n.js";
import { button } from "../keyboard.js";
import { attempt, confirmed, projectHead } from "../shell.js";
import { go } from "../router.js";

const STATES = ["open", "done", "disputed", "retired"];
const KINDS = ["write", "correct", "compare", "rate", "review"];
const PAGE = 50;

export async function tasks(place, { project: id }) {
  const chosen = Object.fromEntries(new URLSearchParams(location.search));
  const [project, found] = await Promise.all([api.project(id), api.tasks(id, { state: chosen.state, kind: chosen.kind, after: chosen.after, limit: PAGE })]);
  const turn = (values) => go(`/label/${id}/tasks?${new URLSearchParams({ ...chosen, ...values })}`);
  const select = (name, label, all, values) => h("select", { "aria-label": label, value: chosen[name] ?? "", onchange: (event) => turn({ [name]: event.target.value, after: 0 }) },
    h("option", { value: "" }, all), values.map(([value, text]) => h("option", { value }, text)));
  put(place, projectHead(project, t("tasks.title")),
    h("div", { class: "row" },
      select("state", t("tasks.state"), t("tasks.all_states"), STATES.map((each) => [each, t(`state.${each}`)])),
      select("kind", t("filter.kind"), t("filter.all_kinds"), KINDS.map((each) => [each, t(`kind.${each}`)]))),
    found.length ? table(t("tasks.title"), [t("figures.task"), t("figures.kind"), t("tasks.state"), t("tasks.source"), t("tasks.people"), t("tasks.made"), ""], found.map((each) => row(id, each)))
      : h("div", { class: "empty" }, h("h2", {}, t("tasks.none"))),
    found.length === PAGE && h("div", { class: "actions" }, button(t("more"), () => turn({ after: found.at(-1).id }))));
}

const row = (project, task) => [
  h("a", { href: `/label/${project}/dispute/${task.id}` }, `${task.id} · ${task.title}`),
  t(`kind.${task.kind}`), h("span", { class: `tag ${{ done: "good", disputed: "bad" }[task.state] ?? ""}` }, t(`state.${task.state}`)),
  t(`source.${task.source}`), { number: task.is_gold ? t("tasks.gold") : `${task.filled}/${task.overlap}` }, day(task.created),
  api.may("owner") && task.state !== "retired" ? h("span", { class: "row" },
    !task.is_gold && button(t("tasks.one_more"), () => change(project, () => api.setOverlap(task.id, task.overlap + 1)), { "aria-label": t("tasks.one_more_of", { n: task.id }) }),
    button(t("tasks.retire"), async () => {
      if (await confirmed(t("tasks.retire_sure", { n: task.id }), t("tasks.retire"))) change(project, () => api.retire(task.id, ""));
    }, { kind: "danger", "aria-label": t("tasks.retire_of", { n: task.id }) })) : "",
];

async function change(project, what) {
  if (await attempt(what, t("done"))) go(location.pathname + location.search, { replace: true });
}
