// How much a machine may decide alone: the curve of its agreement with people, a slider on it, what that would save.

import * as api from "../api.js";
import { curve } from "../chart.js";
import { fresh, h, put, table } from "../dom.js";
import { moment, number, percent, t } from "../i18n.js";
import { button } from "../keyboard.js";
import { attempt, projectHead } from "../shell.js";

export async function judges(place, { project: id }) {
  const [project, found] = await Promise.all([api.project(id), api.judges(id)]);
  const sections = await Promise.all(found.map((judge) => card(id, judge)));
  put(place, projectHead(project, t("judges.title")), h("p", { class: "lead" }, t("judges.lead")),
    sections.length ? sections : h("div", { class: "empty card" }, h("h2", {}, t("judges.none")), h("p", {}, t("judges.none_text"))));
}

async function card(project, judge) {
  const section = h("section", { class: "card" });
  await draw(section, project, judge);
  return section;
}

async function draw(section, project, judge) {
  const [found, alone] = await Promise.all([api.autonomy(project, judge.name), api.alone(project, judge.name)]);
  const at = judge.threshold ?? found.equal_quality?.threshold ?? 0.9;
  const { drawn, move } = curve(found.notches, { people: found.people, here: at, equal: found.equal_quality?.threshold ?? null }, t("judges.curve", { name: judge.name }));
  const words = h("p", { "aria-live": "polite" });
  const slider = h("input", { type: "range", id: fresh("threshold"), min: 0, max: 1, step: 0.05, value: at, disabled: !api.may("owner"), oninput: () => tell() });
  const value = h("output", { for: slider.id });
  const tell = () => {
    const notch = found.notches[Math.round(Number(slider.value) * (found.notches.length - 1))];
    value.textContent = number(notch.threshold, 2);
    slider.setAttribute("aria-valuetext", number(notch.threshold, 2));
    put(words, describe(notch));
    move(notch.threshold);
  };
  const apply = (threshold) => attempt(async () => {
    const moved = await api.setAutonomy(project, judge.name, threshold);
    const fresh = (await api.judges(project)).find((each) => each.name === judge.name);
    await draw(section, project, fresh ?? judge);
    put(section.querySelector(".moved"), t("judges.moved", { decided: moved.decided, back: moved.taken_back, kept: moved.kept, n: moved.decided }));
  });
  put(section,
    h("h2", {}, judge.name, " ", h("span", { class: "tag" }, t("machine"))),
    h("p", { class: "dim" }, t("judges.now", { n: judge.decided, suggestions: judge.suggestions })),
    drawn,
    h("ul", { class: "legend" }, h("li", {}, t("judges.legend")), h("li", { class: "range" }, t("judges.legend_range")),
      found.people !== null && h("li", { class: "people" }, t("judges.legend_people", { share: percent(found.people), n: found.people_pairs })),
      found.equal_quality && h("li", { class: "equal" }, t("judges.legend_equal"))),
    h("div", { class: "slider" }, h("label", { for: slider.id }, t("judges.threshold"), " ", value), slider),
    words,
    h("p", { class: "hint" }, found.equal_quality ? t("judges.equal", { at: number(found.equal_quality.threshold, 2), margin: percent(found.margin) }) : t("judges.no_equal")),
    h("p", { class: "moved dim", role: "status" }),
    api.may("owner") && h("div", { class: "actions" },
      button(t("judges.apply"), () => apply(Number(slider.value)), { kind: "main" }),
      judge.decided > 0 && button(t("judges.take_back"), () => apply(null))),
    alone.length > 0 && h("details", { class: "note" }, h("summary", {}, t("judges.alone", { n: alone.length })),
      table(t("judges.alone", { n: alone.length }), [t("figures.task"), t("figures.kind"), t("judges.sure"), t("judges.at")],
        alone.map((each) => [h("a", { href: `/label/${project}/dispute/${each.task}` }, `${each.task}`), t(`kind.${each.kind}`), { number: percent(each.score) }, moment(each.at)]))));
  tell();
}

const describe = (notch) => [
  t("judges.decides", { n: notch.decides }), " ",
  notch.agreement === null ? t("judges.unmeasured")
    : t("judges.agrees", { share: percent(notch.agreement), low: percent(notch.low), high: percent(notch.high), n: notch.pairs }), " ",
  t("judges.saves", { hours: number(notch.hours, 1) }),
];
