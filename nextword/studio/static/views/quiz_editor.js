// The quiz, for owners to write: questions and choices in every language of the guide, which choice is right, and why.
// What is typed goes into the questions at once; only adding and taking away draws them anew.

import * as api from "../api.js";
import { field, fresh, h, put } from "../dom.js";
import { LANGUAGES, t } from "../i18n.js";
import { button } from "../keyboard.js";
import { toast } from "../live.js";
import { go } from "../router.js";
import { form, projectHead } from "../shell.js";

const LEAST = 2;
const FRESH = () => ({ text: {}, choices: [{}, {}], right: 0, why: {} });

export async function edit(place, { project: id }) {
  const [project, sheet] = await Promise.all([api.project(id), api.quizSheet(id)]);
  const { questions } = sheet;
  const list = h("div", {});
  const draw = (focus) => {
    put(list, questions.map((each, at) => question(each, at, project.languages, draw, () => { questions.splice(at, 1); draw(); more.focus(); })));
    if (focus !== undefined) list.children[focus].querySelector("textarea").focus();
  };
  const mark = h("input", { type: "number", name: "mark", min: 1, max: 100, value: Math.round(100 * sheet.pass_mark), required: true });
  const again = h("label", { class: "check" }, h("input", { type: "checkbox", name: "again" }), t("settings.asks_again"));
  const more = button(t("editor.add"), () => draw(questions.push(FRESH()) - 1), { key: "q" });
  draw();
  put(place, h("div", { class: "middle" }, projectHead(project, t("editor.title")), h("p", { class: "lead" }, t("editor.lead")),
    form(t("settings.publish"), [list, h("p", {}, more), field(t("editor.mark"), mark), again], async (values) => {
      const made = await api.writeQuiz(id, questions, Number(values.get("mark")) / 100, values.has("again"));
      toast(t("settings.published", { n: made.version }));
      await go(`/label/${id}/settings`);
    }, { key: "mod+enter" })));
}

function question(given, at, languages, draw, remove) {
  const n = at + 1;
  const group = fresh("right");
  return h("fieldset", { class: "card" }, h("legend", { class: "unseen" }, t("editor.question", { n })),
    h("div", { class: "row apart" }, h("h2", { "aria-hidden": "true" }, t("editor.question", { n })),
      button(t("editor.remove"), remove, { kind: "danger", "aria-label": t("editor.remove_of", { n }) })),
    words("textarea", t("editor.text"), given.text, languages, true),
    given.choices.map((choice, place) => h("fieldset", { class: "choice-edit" },
      h("legend", {}, t("editor.choice", { n: place + 1 })),
      words("input", t("editor.choice", { n: place + 1 }), choice, languages, true),
      h("div", { class: "row apart" },
        h("label", { class: "check" }, h("input", { type: "radio", name: group, value: place, checked: given.right === place, onchange: () => { given.right = place; } }), t("editor.right")),
        given.choices.length > LEAST && button(t("editor.remove"), () => { drop(given, place); draw(at); }, { kind: "danger", "aria-label": t("editor.remove_choice", { n: place + 1, question: n }) })))),
    h("p", {}, button(t("editor.more"), () => { given.choices.push({}); draw(at); }, { "aria-label": t("editor.more_of", { n }) })),
    words("input", t("editor.why"), given.why, languages, false));
}

/** One field for each language of the guide, which writes what is typed into the words. */
const words = (tag, label, given, languages, required) => h("div", { class: "grid" }, languages.map((lang) =>
  field(languages.length > 1 ? `${label} (${LANGUAGES[lang] ?? lang})` : label, h(tag, {
    class: tag === "textarea" && "small", lang, required, value: given[lang] ?? "", oninput: (event) => { given[lang] = event.target.value; },
  }))));

function drop(given, place) {
  given.choices.splice(place, 1);
  if (given.right > place || given.right === given.choices.length) given.right -= 1;
}
