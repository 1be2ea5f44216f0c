// A project's settings and its guide, for owners; and the form of a new project.

import * as api from "../api.js";
import { field, h, put, table } from "../dom.js";
import { LANGUAGES, percent, t } from "../i18n.js";
import { button } from "../keyboard.js";
import { toast } from "../live.js";
import { page } from "../page.js";
import { go } from "../router.js";
import { attempt, form, projectHead } from "../shell.js";

const NUMBERS = { overlap: [1, 50, 1], lease_minutes: [1, 10080, 1], review_share: [0, 1, 0.05], gold_every: [0, 1000, 1], blind_share: [0, 1, 0.05], quiz_tries: [1, 100, 1] };

export async function settings(place, { project: id }) {
  const [project, guide, sheet] = await Promise.all([api.project(id), api.guide(id), api.quizSheet(id)]);
  const tries = h("div", {});
  await standings(tries, id);
  put(place, projectHead(project, t("settings.title")),
    h("section", { class: "card" }, h("h2", {}, t("settings.work")), work(project)),
    h("section", { class: "card" }, h("h2", {}, t("settings.guide")), h("p", { class: "dim" }, t("settings.guide_text", { n: guide.version })), texts(id, guide.texts)),
    h("section", { class: "card" }, h("h2", {}, t("settings.quiz")),
      h("p", { class: "dim" }, sheet.questions.length ? t("settings.quiz_text", { n: sheet.questions.length, share: percent(sheet.pass_mark) }) : t("settings.no_quiz")),
      h("p", {}, h("a", { class: "button", href: `/label/${id}/quiz/edit` }, t("settings.quiz_edit"))), tries));
}

/** Who has tried the quiz, and for who failed a button that gives the tries back. */
async function standings(place, id) {
  const found = await api.standings(id);
  put(place, found.length > 0 && table(t("standing.title"), [t("name"), t("standing.best"), t("standing.tries"), t("standing.left"), ""], found.map((each) => [
    each.name, h("span", { class: `tag ${each.has_passed ? "good" : ""}` }, percent(each.best)), each.tries, each.tries_left,
    !each.has_passed && each.tries > 0 ? button(t("standing.forgive"), async () => {
      if (await attempt(() => api.forgive(id, each.person), t("standing.forgiven"))) standings(place, id);
    }, { "aria-label": t("standing.forgive_of", { name: each.name }) }) : "",
  ])));
}

function work(project) {
  const fields = Object.entries(NUMBERS).map(([name, [min, max, step]]) =>
    field(t(`settings.${name}`), h("input", { type: "number", name, min, max, step, value: project.settings[name], required: true }), t(`settings.${name}_hint`)));
  const suggestions = h("label", { class: "check" }, h("input", { type: "checkbox", name: "shows_suggestions", checked: project.settings.shows_suggestions }), t("settings.shows_suggestions"));
  return form(t("settings.save"), [h("div", { class: "grid" }, fields), suggestions], async (values) => {
    const numbers = Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, Number(values.get(name))]));
    await api.changeSettings(project.id, { ...numbers, shows_suggestions: values.has("shows_suggestions") });
    toast(t("settings.saved"));
  });
}

function texts(id, given) {
  const preview = h("div", { class: "guide", hidden: true });
  const inputs = Object.entries(LANGUAGES).map(([code, name]) => [code, h("textarea", { name: code, lang: code, value: given[code] ?? "" }), name]);
  const again = h("label", { class: "check" }, h("input", { type: "checkbox", name: "again" }), t("settings.asks_again"));
  const look = button(t("settings.preview"), async () => {
    const [, input] = inputs.find(([, each]) => each.value.trim()) ?? inputs[0];
    put(preview, page(await api.markdown(input.value), 2));
    preview.hidden = false;
  });
  return [form(t("settings.publish"), [inputs.map(([, input, name]) => field(name, input)), again], async (values) => {
    const filled = Object.fromEntries(inputs.map(([code, input]) => [code, input.value]).filter(([, text]) => text.trim()));
    const made = await api.publishGuide(id, filled, values.has("again"));
    toast(t("settings.published", { n: made.version }));
  }), h("div", { class: "actions" }, look), preview];
}

export function newProject(place) {
  const own = h("input", { type: "checkbox", name: "own", checked: true, onchange: () => { guides.hidden = own.checked; } });
  const inputs = Object.entries(LANGUAGES).map(([code, name]) => [code, h("textarea", { lang: code }), name]);
  const guides = h("div", { hidden: true }, inputs.map(([, input, name]) => field(t("settings.guide_in", { name }), input)));
  put(place, h("div", { class: "middle" }, h("div", { class: "crumb" }, h("h1", {}, t("projects.new"))),
    h("section", { class: "card" }, form(t("projects.make"), [
      field(t("projects.name"), h("input", { name: "name", required: true, maxlength: 100, autofocus: true })),
      h("label", { class: "check" }, own, t("projects.own_guide")), guides,
    ], async (values) => {
      const texts = Object.fromEntries(inputs.map(([code, input]) => [code, input.value]).filter(([, text]) => text.trim()));
      const made = await api.createProject(values.get("name"), own.checked ? null : texts);
      await go(`/label/${made.id}/data`);
    }))));
}
