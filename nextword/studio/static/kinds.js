// What each kind of task shows and takes. A kind is made from the item and the draft; it draws its fields, says what
// has been answered so far (in the shape that the server takes), and has its own buttons with their keys.

import { fresh, h, put } from "./dom.js";
import { shown } from "./diff.js";
import { known, number, percent, t } from "./i18n.js";
import { button } from "./keyboard.js";
import { said, textOf } from "./talk.js";

class Kind {
  /** change(): something was typed; submit(answer): hand this in. */
  constructor(item, draft, change, submit) {
    Object.assign(this, { item, draft, change, submit });
  }

  /** A text field that grows with its text, counting characters. */
  writing(label, value, attributes = {}) {
    const count = h("p", { class: "count", "aria-hidden": "true" });
    const tell = () => { count.textContent = t("characters", { n: [...this.text.value].length }); };
    this.text = h("textarea", {
      id: fresh("text"), value, lang: this.item.lang || undefined, "data-key": "e", "data-says": t("work.edit"),
      onclick: () => this.text.focus(), oninput: () => { tell(); this.change(); }, spellcheck: true, ...attributes,
    });
    tell();
    return h("div", { class: "field" }, h("label", { for: this.text.id }, label), this.text, count);
  }
}

class Write extends Kind {
  draw(suggestion) {
    const text = suggestion?.answer.messages && textOf(suggestion.answer.messages);
    return h("div", { class: "answer-box" },
      this.writing(t("kind.write.label"), this.draft.text ?? "", { autofocus: true, placeholder: t("kind.write.placeholder") }),
      text && h("p", { class: "hint" }, t("suggested.text", { by: suggestion.by, sure: percent(suggestion.score) }), " ", text));
  }

  answer() { return { text: this.text.value }; }

  buttons() { return button(t("submit"), () => this.submit(this.answer()), { key: "mod+enter", kind: "main" }); }
}

class Correct extends Kind {
  draw(suggestion) {
    this.before = textOf(this.item.material.draft);
    this.changes = h("div", { class: "diff", id: fresh("diff"), role: "group", "aria-label": t("kind.correct.changes") });
    const isProposal = this.item.about?.quote !== undefined;
    this.asked = textOf(this.item.prompt.slice(-1));
    this.question = isProposal && h("textarea", {
      class: "small", id: fresh("question"), value: this.draft.question ?? this.asked, oninput: () => this.change(),
    });
    return h("div", { class: "answer-box" },
      isProposal && h("div", { class: "field" }, h("label", { for: this.question.id }, t("kind.correct.question")), this.question),
      this.writing(t("kind.correct.label"), this.draft.text ?? this.before),
      h("h2", {}, t("kind.correct.changes")), this.changes,
      this.refresh());
  }

  refresh() {
    const isSame = this.isSame();
    put(this.changes, isSame ? h("span", { class: "dim" }, t("kind.correct.unchanged")) : shown(this.before, this.text.value));
    if (this.send) {
      this.good.disabled = !isSame;
      this.send.disabled = isSame;
    }
  }

  isSame() { return this.text.value.trim() === this.before.trim() && !this.isAskedAnew(); }

  isAskedAnew() { return Boolean(this.question) && this.question.value.trim() !== this.asked.trim(); }

  answer() { return { text: this.text.value, ...(this.isAskedAnew() ? { question: this.question.value } : {}) }; }

  buttons() {
    this.send = button(t("kind.correct.submit"), () => this.submit(this.answer()), { key: "mod+enter", kind: "main" });
    this.good = button(t("kind.correct.good"), () => this.submit({ text: this.before }), { key: "a" });
    this.refresh();
    return [this.send, this.good, button(t("kind.correct.unusable"), () => this.submit({ verdict: "unusable" }), { key: "r", kind: "danger" })];
  }
}

/** A row of choices of which one holds: radio buttons in the form of a bar. */
export function segments(label, name, choices, value, onchange) {
  return h("fieldset", { class: "row" }, h("legend", { class: "unseen" }, label),
    h("div", { class: "segments" }, choices.map(([each, text]) => h("label", {},
      h("input", { type: "radio", name, value: each, checked: each === value, onchange: () => onchange(each) }), text))));
}

class Compare extends Kind {
  draw(suggestion) {
    this.margin = this.draft.margin ?? 0;
    const best = suggestion?.answer.ranks?.indexOf(1);
    const cards = this.item.material.answers.map((each, at) => h("article", { class: `side-card ${this.draft.choice === at ? "chosen" : ""}`, "aria-labelledby": `side-${at}` },
      h("h2", { id: `side-${at}` }, t("kind.compare.answer", { name: at + 1 })),
      h("div", { class: "said" }, said(textOf(each.messages))),
      suggestion && !suggestion.answer.bad && best === at && h("p", { class: "hint suggested" }, t("suggested.choice", { by: suggestion.by, sure: percent(suggestion.score) })),
      button(t("kind.compare.better", { name: at + 1 }), () => this.choose(at), { key: String(at + 1), "aria-describedby": `side-${at}` })));
    const margins = [[0, t("margin.0")], [1, t("margin.1")], [2, t("margin.2")], [3, t("margin.3")]];
    return [
      h("h2", {}, t("kind.compare.which")),
      h("div", { class: "sides" }, cards),
      h("div", { class: "actions" },
        button(t("kind.compare.tie"), () => this.choose("tie"), { key: "t" }),
        button(this.item.material.answers.length > 2 ? t("kind.compare.all_bad") : t("kind.compare.bad"), () => this.choose("bad"), { key: "b", kind: "danger" }),
        h("span", { class: "push dim" }, t("margin")),
        segments(t("margin"), fresh("margin"), margins, this.margin, (value) => { this.margin = value; this.change(); })),
    ];
  }

  choose(choice) {
    this.submit({ choice, ...this.answer() });
  }

  answer() { return this.margin ? { margin: this.margin } : {}; }

  buttons() { return null; }
}

class Rate extends Kind {
  draw(suggestion) {
    const { answer, criteria, low, high } = this.item.material;
    this.ratings = { ...(this.draft.ratings ?? {}) };
    const steps = Array.from({ length: high - low + 1 }, (_, at) => low + at);
    this.rows = criteria.map((name) => this.row(name, steps, suggestion?.answer.ratings?.[name]));
    this.now();
    return [
      h("div", { class: "talk" }, h("div", { class: "turn assistant" }, h("span", { class: "who" }, t("role.assistant")), h("div", { class: "said" }, said(textOf(answer.messages))))),
      h("div", { class: "answer-box" }, this.rows, h("p", { class: "hint" }, t("kind.rate.ends", { low, high }), " ", t("kind.rate.keys"))),
    ];
  }

  row(name, steps, suggested) {
    const group = fresh("rate");
    return h("fieldset", { class: "scale", "data-name": name, onfocusin: () => this.now(name) },
      h("legend", {}, h("span", { class: "what" }, known(`criterion.${name}`, name),
        suggested !== undefined && h("span", { class: "hint" }, ` (${t("suggested.rating", { value: suggested })})`))),
      h("div", { class: "steps" }, steps.map((step) => h("label", {},
        h("input", { type: "radio", name: group, value: step, checked: this.ratings[name] === step, "aria-label": `${known(`criterion.${name}`, name)} ${step}`, onchange: () => this.rate(name, step) }),
        number(step)))));
  }

  rate(name, step) {
    this.ratings[name] = step;
    this.change();
  }

  /** The criterion that the number keys rate: the first without a rating, unless another has the focus. */
  now(name) {
    const current = name ?? this.item.material.criteria.find((each) => !(each in this.ratings));
    for (const row of this.rows) {
      const isNow = row.dataset.name === current;
      row.classList.toggle("now", isNow);
      row.querySelectorAll("input").forEach((input) => {
        if (isNow && input.value.length === 1) Object.assign(input.dataset, { key: input.value, says: input.getAttribute("aria-label") });
        else delete input.dataset.key;
      });
    }
  }

  refresh() {
    this.now();
    this.send.disabled = Object.keys(this.ratings).length < this.item.material.criteria.length;
  }

  answer() { return { ratings: this.ratings }; }

  buttons() {
    this.send = button(t("submit"), () => this.submit(this.answer()), { key: "enter", kind: "main" });
    this.refresh();
    return this.send;
  }
}

class Review extends Kind {
  draw() {
    const { messages, verdict, question, draft } = this.item.material.answer;
    this.before = messages ? textOf(messages) : "";
    this.changes = h("div", { class: "diff", role: "group", "aria-label": t("kind.correct.changes"), hidden: true });
    this.box = h("div", { class: "answer-box", hidden: this.draft.text === undefined }, this.writing(t("kind.review.amend_label"), this.draft.text ?? this.before), this.changes);
    this.refresh();
    return [
      h("h2", {}, t("kind.review.said")),
      verdict && h("p", {}, h("span", { class: "tag" }, known(`verdict.${verdict}`, verdict))),
      question && h("p", {}, t("kind.review.question"), " ", question),
      h("div", { class: "talk" }, h("div", { class: "turn assistant" }, h("div", { class: "said" }, draft && messages ? shown(textOf(draft), this.before) : said(this.before)))),
      this.box,
    ];
  }

  refresh() {
    const isSame = this.text.value.trim() === this.before.trim();
    this.changes.hidden = isSame;
    put(this.changes, shown(this.before, this.text.value));
    if (this.send) this.send.disabled = isSame;
  }

  answer() { return this.box.hidden ? {} : { verdict: "amend", text: this.text.value }; }

  amend() {
    this.box.hidden = false;
    this.send.hidden = false;
    this.text.focus();
  }

  buttons() {
    this.send = button(t("kind.review.send"), () => this.submit(this.answer()), { key: "mod+enter", kind: "main", hidden: this.box.hidden });
    this.refresh();
    return [
      this.send,
      button(t("kind.review.accept"), () => this.submit({ verdict: "accept" }), { key: "a", kind: this.box.hidden ? "main" : "" }),
      this.before && button(t("kind.review.amend"), () => this.amend(), { key: "e" }),
      button(t("kind.review.reject"), () => this.submit({ verdict: "reject" }), { key: "r", kind: "danger" }),
    ];
  }
}

export const KINDS = { write: Write, correct: Correct, compare: Compare, rate: Rate, review: Review };
