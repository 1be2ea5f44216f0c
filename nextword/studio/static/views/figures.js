// The figures of a project: how far it is, how well people agree, and what each person's work was.

import * as api from "../api.js";
import { bars, intervals } from "../chart.js";
import { h, put, table } from "../dom.js";
import { duration, known, number, percent, t } from "../i18n.js";
import { projectHead } from "../shell.js";
import { meter } from "./projects.js";

const LEAST = 2 / 3; // Krippendorff 2004, Content Analysis, page 241: below this, draw no conclusions
const GOOD = 0.8;

export async function figures(place, { project: id }) {
  const [project, progress, questions, people] = await Promise.all([api.project(id), api.progress(id), api.agreement(id), api.work(id)]);
  put(place, projectHead(project, t("figures.title")),
    h("section", { class: "card" }, h("h2", {}, t("figures.progress")), meter(progress), kinds(progress)),
    h("section", { class: "card" }, h("h2", {}, t("figures.agreement")), agreement(questions)),
    h("section", { class: "card" }, h("h2", {}, t("figures.people")), people.length ? work(people) : h("p", { class: "dim" }, t("figures.nobody"))));
}

function kinds(progress) {
  const states = ["open", "done", "disputed", "retired"];
  const rows = Object.entries(progress.tasks).map(([kind, counts]) => [t(`kind.${kind}`), ...states.map((state) => counts[state] ?? 0)]);
  return rows.length > 0 && table(t("figures.progress"), [t("figures.kind"), ...states.map((state) => t(`state.${state}`))], rows);
}

const nameOf = (question) => {
  const [kind, criterion] = question.split(": ");
  return criterion ? `${t(`kind.${kind}`)}: ${known(`criterion.${criterion}`, criterion)}` : t(`kind.${kind}`);
};

const coefficient = (value) => ({ number: value === null ? "–" : number(value, 2) });

function agreement(questions) {
  if (questions.length === 0) return h("p", { class: "dim" }, t("figures.no_agreement"));
  const rows = questions.map((each) => [
    nameOf(each.question), each.tasks, each.people, { number: percent(each.share) },
    coefficient(each.cohen), coefficient(each.fleiss), coefficient(each.alpha), reading(each.alpha),
  ]);
  return [
    table(t("figures.agreement"), [t("figures.question"), t("figures.tasks"), t("figures.persons"), t("figures.equal"), "Cohen κ", "Fleiss κ", "Krippendorff α", ""], rows),
    h("p", { class: "hint" }, t("figures.explained")),
  ];
}

function reading(alpha) {
  if (alpha === null) return "";
  const [kind, key] = alpha >= GOOD ? ["good", "good"] : alpha >= LEAST ? ["blue", "fair"] : ["bad", "poor"];
  return h("span", { class: `tag ${kind}` }, t(`alpha.${key}`));
}

function work(people) {
  const persons = people.filter((each) => !each.is_machine);
  const tested = persons.filter((each) => each.gold > 0);
  return [
    h("div", { class: "grid" },
      persons.length > 0 && h("figure", {}, h("figcaption", {}, t("figures.minutes")),
        bars(persons.map((each) => [each.name, each.minutes, duration(each.minutes)]), t("figures.minutes"))),
      tested.length > 0 && h("figure", {}, h("figcaption", {}, t("figures.gold")),
        intervals(tested.map((each) => [each.name, 100 * each.gold_interval[0], (100 * each.gold_right) / each.gold, 100 * each.gold_interval[1]]), t("figures.gold"), { range: [0, 100] }))),
    table(t("figures.people"), [t("name"), t("figures.submitted"), t("figures.drafts"), t("figures.discarded"), t("figures.rejected"), t("figures.minutes"), t("figures.pace"), t("figures.gold_short"), t("figures.like_others")],
      people.map((each) => [
        h("span", {}, each.name, each.is_machine && h("span", { class: "tag" }, t("machine"))),
        each.submitted, each.drafts, each.discarded, each.rejected, { number: number(each.minutes, 1) },
        { number: each.submitted ? duration(each.minutes / each.submitted) : "–" },
        { number: each.gold ? `${each.gold_right}/${each.gold}` : "–" }, { number: percent(each.agreement) },
      ])),
  ];
}
