// Where people work: one task with the guide beside it. What each kind of task shows and takes is in kinds.js; here is
// what they share: the draft, handing in, leaving to others, undoing, and the next one.

import * as api from "../api.js";
import { h, put } from "../dom.js";
import { Draft } from "../draft.js";
import { answersOf, flagging } from "../flag.js";
import { LANGUAGES, t } from "../i18n.js";
import { button } from "../keyboard.js";
import { toast } from "../live.js";
import { guideBeside } from "./guide.js";
import { KINDS } from "../kinds.js";
import { go } from "../router.js";
import { about, talk } from "../talk.js";
import { wanted } from "./projects.js";

/** The next task: found, then shown under its own address, so that a refresh comes back to it. */
export async function next(place, { project }) {
  const { kinds, lang } = wanted(project);
  const item = await api.next(project, kinds, lang);
  if (item) return go(`/label/${project}/task/${item.task}`, { replace: true });
  const counts = await api.counts(project, {});
  put(place, h("div", { class: "empty" },
    h("h1", {}, t("work.none")),
    h("p", {}, counts.draft ? t("work.none_but_drafts", { n: counts.draft }) : t("work.none_text")),
    h("div", { class: "actions middle" },
      counts.draft > 0 && h("a", { class: "button main", href: `/label/${project}/queue/draft` }, t("queue.draft")),
      h("a", { class: "button", href: `/label/${project}` }, t("back")),
      undoOf(project))));
  return undefined;
}

/** One task of this person's. */
export async function task(place, { project, task }) {
  const [about, item] = await Promise.all([api.project(project), api.open(task)]);
  const guide = guideBeside(about, place);
  const work = new Work(about, item, place);
  put(place, h("div", { class: "work" }, h("div", { class: "task" }, work.head(guide.toggle), work.body()), guide.aside));
  guide.apply();
  return () => work.close();
}

class Work {
  constructor(project, item, place) {
    Object.assign(this, { project, item, place });
    this.status = h("span", { class: "saved", role: "status" });
    this.draft = new Draft(item, this.status);
    this.kind = new KINDS[item.kind](item, this.draft.value ?? {}, () => this.changed(), (answer) => this.submit(answer));
    this.note = h("textarea", {
      class: "small", "aria-label": t("note"), value: this.draft.value?.note ?? "", oninput: () => this.changed(),
    });
  }

  head(toggle) {
    const { kind, lang, state } = this.item;
    return h("div", { class: "task-head" },
      h("p", { class: "where" }, h("a", { href: "/label" }, t("nav.projects")), " / ", h("a", { href: `/label/${this.project.id}` }, this.project.name)),
      h("h1", {}, t(`kind.${kind}.title`)),
      lang && h("span", { class: "tag" }, LANGUAGES[lang] ?? lang),
      (state === "submitted" || state === "discarded") && h("span", { class: "tag blue" }, t(`queue.${state}`)),
      this.status, toggle);
  }

  body() {
    if (this.item.state === "submitted" || this.item.state === "discarded") return this.closed();
    return [
      this.draft.other !== undefined && this.choiceOfDrafts(),
      talk(this.item.prompt, this.item.about?.quote?.quote), about(this.item.about),
      this.kind.draw(this.suggestion()),
      h("details", { class: "note", open: this.note.value !== "" },
        h("summary", { "data-key": "n", "data-says": t("note"), onclick: (event) => this.showNote(event) }, t("note.add"), " ", h("kbd", { "aria-hidden": "true" }, "N")),
        this.note),
      h("div", { class: "actions" }, this.kind.buttons(),
        h("span", { class: "push" }), undoOf(this.project.id), this.flag(),
        button(t("work.discard"), () => this.discard(), { key: "d", kind: "quiet" })),
    ];
  }

  showNote(event) {
    const details = event.currentTarget.parentElement;
    if (!details.open) setTimeout(() => this.note.focus());
  }

  /** What machines say of it, the surest of them. */
  suggestion() {
    return this.item.suggestions[0];
  }

  /** A task that is no longer open: what was said, and the way back. */
  closed() {
    return [
      talk(this.item.prompt, this.item.about?.quote?.quote), about(this.item.about),
      h("fieldset", { disabled: true }, this.kind.draw()),
      h("div", { class: "actions" },
        button(t("work.reopen"), () => reopen(this.project.id, this.item.task), { key: "u", kind: "main" }),
        h("a", { class: "button", href: `/label/${this.project.id}/work` }, t("work.next")),
        h("span", { class: "push" }), this.flag()),
    ];
  }

  /** Say that an answer shown here is wrong, whatever is said of the task itself. */
  flag() {
    const count = answersOf(this.item);
    return count > 0 && flagging(count, (why, at) => api.flag(this.item.task, why, count > 1 ? at : null));
  }

  choiceOfDrafts() {
    const text = this.draft.other.text ?? JSON.stringify(this.draft.other);
    const choose = (isTaken) => {
      if (isTaken) this.draft.change(this.draft.other);
      else localStorage.removeItem(this.draft.key);
      this.draft.flush().then(() => go(location.pathname, { replace: true }));
    };
    return h("div", { class: "alert" },
      h("p", {}, t("draft.two")), h("p", { class: "said dim" }, text),
      h("div", { class: "actions" }, button(t("draft.take"), () => choose(true)), button(t("draft.leave"), () => choose(false), { kind: "quiet" })));
  }

  answer() {
    const note = this.note.value.trim();
    return { ...this.kind.answer(), ...(note ? { note } : {}) };
  }

  changed() {
    this.draft.change(this.answer());
    this.kind.refresh?.();
  }

  async submit(answer) {
    const note = this.note.value.trim();
    await this.finish(async () => {
      await this.draft.flush();
      await api.submit(this.item.task, { ...answer, ...(note ? { note } : {}) });
      undo.remember(this.project.id, this.item.task);
      toast(t(`kind.${this.item.kind}.done`));
    });
  }

  async discard() {
    await this.finish(async () => {
      await this.draft.flush();
      await api.discard(this.item.task, this.note.value.trim());
      undo.remember(this.project.id, this.item.task);
      toast(t("work.discarded"));
    });
  }

  /** Do it once, say why when it is refused, and go on to the next task. */
  async finish(what) {
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      await what();
      this.draft.finish();
      await go(`/label/${this.project.id}/work`);
    } catch (error) {
      toast(error.message, { kind: "bad" });
    } finally {
      this.isBusy = false;
    }
  }

  close() {
    this.draft.close();
    return this.draft.flush();
  }
}

/** The last task that was handed in or left, per project, for as long as the page is open. */
const undo = {
  last: new Map(),
  remember(project, task) { this.last.set(Number(project), task); },
};

function undoOf(project) {
  const task = undo.last.get(Number(project));
  return task !== undefined && button(t("undo"), () => reopen(project, task), { key: "u", kind: "quiet" });
}

async function reopen(project, task) {
  try {
    await api.reopen(task);
    undo.last.delete(Number(project));
    toast(t("undone"));
    await go(`/label/${project}/task/${task}`);
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}
