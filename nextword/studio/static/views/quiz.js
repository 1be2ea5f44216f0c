// The quiz on the guide, before the first task: read, answer, and learn why where an answer was wrong.

import * as api from "../api.js";
import { fresh, h, put } from "../dom.js";
import { inOurs, number, percent, t } from "../i18n.js";
import { page } from "../page.js";
import { form, projectHead } from "../shell.js";

export async function quiz(place, { project: id }) {
  const [project, asked, guide] = await Promise.all([api.project(id), api.quiz(id), api.guide(id)]);
  const result = h("div", { "aria-live": "polite" });
  const sheet = h("section", { class: "card" });
  put(place, h("div", { class: "middle" },
    projectHead(project, t("quiz.title")),
    h("p", { class: "lead" }, t("quiz.lead", { n: asked.questions.length, share: percent(asked.pass_mark) })),
    h("details", { class: "card" }, h("summary", {}, t("quiz.read")), h("div", { class: "guide" }, page(inOurs(guide.pages), 1))),
    result, sheet));
  if (asked.has_passed || asked.questions.length === 0) {
    put(sheet, passed(id));
    return;
  }
  put(sheet, questions(asked, async (choices) => {
    const marked = await api.takeQuiz(id, choices);
    put(result, verdict(marked));
    window.scrollTo(0, 0);
    if (marked.has_passed) put(sheet, passed(id));
    else explain(sheet, marked.wrong);
  }));
}

const passed = (id) => [h("h2", {}, t("quiz.passed")), h("a", { class: "button main", href: `/label/${id}/work` }, t("work.start"))];

function questions(asked, send) {
  const sets = asked.questions.map((question, at) => h("fieldset", { "data-question": at },
    h("legend", {}, `${number(at + 1)}. ${inOurs(question.text)}`),
    question.choices.map((choice, number) => {
      const id = fresh("choice");
      return h("label", { class: "choice", for: id },
        h("input", { type: "radio", id, name: `question-${at}`, value: number, required: true }), inOurs(choice));
    })));
  const left = h("p", { class: "hint" }, t("quiz.tries", { n: asked.tries_left }));
  return form(t("quiz.send"), [sets, left], (values) => send(asked.questions.map((_, at) => Number(values.get(`question-${at}`)))));
}

const verdict = (marked) => h("div", { class: `alert ${marked.has_passed ? "good" : "bad"}` },
  h("p", {}, t(marked.has_passed ? "quiz.well" : "quiz.badly", { share: percent(marked.score) }), " ",
    !marked.has_passed && t("quiz.tries", { n: marked.tries_left })));

/** Say under each question that was missed why the right choice is right. */
function explain(sheet, wrong) {
  sheet.querySelectorAll(".why").forEach((each) => each.remove());
  for (const [at, why] of wrong) {
    sheet.querySelector(`[data-question="${at}"]`).append(h("p", { class: "why" }, inOurs(why)));
  }
}
