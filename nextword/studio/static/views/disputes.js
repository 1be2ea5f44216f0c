// Where people disagree: the list, and one task with what each of them said, for a reviewer to decide.

import * as api from "../api.js";
import { h, put } from "../dom.js";
import { answersOf, flagging } from "../flag.js";
import { day, known, t } from "../i18n.js";
import { toast } from "../live.js";
import { KINDS } from "../kinds.js";
import { go } from "../router.js";
import { attempt, projectHead } from "../shell.js";
import { about, talk } from "../talk.js";

export async function disputes(place, { project: id }) {
  const [project, tasks, flags] = await Promise.all([api.project(id), api.disputes(id), api.flags(id)]);
  put(place, projectHead(project, t("disputes.title")), h("p", { class: "lead" }, t("disputes.lead")),
    tasks.length ? h("ul", { class: "list" }, tasks.map((each) => h("li", {}, h("a", { href: `/label/${id}/dispute/${each.id}` },
      h("span", { class: "tag" }, t(`kind.${each.kind}`)), h("span", { class: "title" }, each.title), h("time", {}, day(each.created))))))
      : h("div", { class: "empty card" }, h("h2", {}, t("disputes.none"))),
    flags.length > 0 && h("section", {}, h("h2", {}, t("flags.title")), h("ul", { class: "list" }, flags.map((each) => h("li", {},
      h("a", { href: `/label/${id}/dispute/${each.task.id}` }, h("span", { class: `tag ${each.is_mended ? "good" : ""}` }, t(each.is_mended ? "flags.mended" : "flags.open")),
        h("span", { class: "title" }, each.task.title), h("span", { class: "dim" }, each.why), h("time", {}, day(each.at))))))));
}

export async function dispute(place, { project: id, task }) {
  const [project, found] = await Promise.all([api.project(id), api.dispute(task)]);
  const isOpen = (found.kind === "compare" || found.kind === "rate") && (found.state === "disputed" || found.state === "done");
  const decide = (answer) => attempt(async () => {
    await api.decide(task, answer);
    toast(t("disputes.decided"));
    await go(`/label/${id}/disputes`);
  });
  const item = { kind: found.kind, material: found.material, about: found.about, prompt: found.prompt, lang: "", suggestions: [] };
  const kind = isOpen && new KINDS[found.kind](item, {}, () => kind.refresh?.(), decide);
  put(place, projectHead(project, t("disputes.task", { n: found.task })),
    h("p", { class: "row" }, h("span", { class: "tag" }, t(`kind.${found.kind}`)), h("span", { class: "tag" }, t(`state.${found.state}`)),
      found.method && h("span", { class: "tag blue" }, known(`method.${found.method}`, found.method))),
    talk(found.prompt), about(found.about),
    h("section", { class: "card" }, h("h2", {}, t("disputes.said", { n: found.opinions.length })), opinions(found)),
    h("section", { "aria-label": t("disputes.decide") }, !isOpen && h("h2", {}, t("disputes.shown")), kind ? [kind.draw(), h("div", { class: "actions" }, kind.buttons())] : sides(found.material)),
    answersOf(found) > 0 && h("div", { class: "actions" }, flagging(answersOf(found), (why, at) => api.flagSaid(id, [...found.prompt, ...saidBy(found.material)[at].messages], why))));
}

const saidBy = (material) => material.answers ?? [material.answer];

const sides = (material) => talk((material.answers ?? []).flatMap((each) => each.messages).concat(material.draft ?? []).concat(material.answer?.messages ?? []));

const opinions = (found) => h("ul", { class: "list" }, found.opinions.map((each) => h("li", { class: "opinion" },
  h("strong", {}, each.who, each.is_machine && ` (${t("machine")})`), h("span", {}, inWords(each.answer)),
  each.answer.note && h("span", { class: "dim" }, each.answer.note), h("span", { class: "hint" }, t("guide.other", { n: each.guide })))));

function inWords(answer) {
  if (answer.bad) return t("kind.compare.bad");
  if (answer.ranks) {
    const best = answer.ranks.flatMap((rank, at) => (rank === 1 ? [at + 1] : []));
    return best.length === answer.ranks.length ? t("kind.compare.tie") : t("kind.compare.better", { name: best.join(", ") });
  }
  if (answer.ratings) return Object.entries(answer.ratings).map(([name, value]) => `${known(`criterion.${name}`, name)} ${value}`).join(" · ");
  return known(`verdict.${answer.verdict}`, answer.verdict ?? "");
}
