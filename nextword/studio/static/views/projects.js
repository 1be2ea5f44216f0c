// The list of projects, and one project's first page: what waits for this person, and how far everybody is.

import * as api from "../api.js";
import { h, put } from "../dom.js";
import { LANGUAGES, duration, number, percent, t } from "../i18n.js";
import { button } from "../keyboard.js";
import { go } from "../router.js";
import { projectHead } from "../shell.js";

const KINDS = ["write", "correct", "compare", "rate", "review"];
const STATES = ["pending", "draft", "submitted", "discarded"];

/** What this person wants to be given in this project, as they chose it last. */
export function wanted(project) {
  const kept = JSON.parse(localStorage.getItem(`nextword.wanted.${project}`) ?? "{}");
  return { kinds: kept.kind ? [kept.kind] : null, lang: kept.lang ?? "" };
}

const keep = (project, kind, lang) => localStorage.setItem(`nextword.wanted.${project}`, JSON.stringify({ kind, lang }));

export async function projects(place) {
  const found = await api.projects();
  const cards = await Promise.all(found.map(async (each) => card(each, await api.counts(each.id, {}), await api.progress(each.id))));
  put(place,
    h("div", { class: "crumb" }, h("h1", {}, t("projects.title")),
      api.may("owner") && h("a", { class: "button", href: "/label/new" }, t("projects.new"))),
    cards.length ? h("div", { class: "grid" }, cards)
      : h("div", { class: "empty card" }, h("h2", {}, t("projects.none")), h("p", {}, t(api.may("owner") ? "projects.none_owner" : "projects.none_text"))));
}

function card(project, counts, progress) {
  const base = `/label/${project.id}`;
  return h("article", { class: "card project-card" },
    h("h2", {}, h("a", { href: base }, project.name)),
    h("p", { class: "row" }, project.languages.map((lang) => h("span", { class: "tag" }, LANGUAGES[lang] ?? lang)),
      !project.is_qualified && h("span", { class: "tag blue" }, t("quiz.first"))),
    meter(progress),
    h("p", { class: "dim" }, t("projects.waiting", { n: counts.pending })),
    h("div", { class: "row" }, start(project), counts.draft > 0 && h("a", { class: "button", href: `${base}/queue/draft` }, `${t("queue.draft")} ${number(counts.draft)}`)));
}

const start = (project, key) => {
  const href = `/label/${project.id}/${project.is_qualified ? "work" : "quiz"}`;
  const label = t(project.is_qualified ? "work.start" : "quiz.start");
  return key ? button(label, () => go(href), { key, kind: "main" }) : h("a", { class: "button main", href }, label, h("span", { class: "unseen" }, ` · ${project.name}`));
};

/** How much of a project is done, as a bar with its words. */
export function meter({ filled, slots }) {
  const share = slots ? filled / slots : 0;
  const done = h("span");
  done.style.width = `${100 * share}%`;
  return h("div", {},
    h("div", { class: "row apart hint" }, h("span", {}, t("progress.labels", { filled, slots, n: slots })), h("span", {}, percent(share))),
    h("div", { class: "meter", "aria-hidden": "true" }, done));
}

export async function overview(place, { project: id }) {
  const [project, progress] = await Promise.all([api.project(id), api.progress(id)]);
  const tiles = h("div", { class: "grid" });
  const choose = async () => { put(tiles, await queues(project)); };
  await choose();
  put(place,
    projectHead(project),
    !project.is_qualified && h("div", { class: "alert" }, h("p", {}, t("quiz.needed"))),
    h("section", { class: "card" },
      h("h2", {}, t("overview.mine")), tiles,
      h("div", { class: "actions" }, start(project, "w"), h("span", { class: "push" }), filters(project, choose))),
    h("section", { class: "card" }, h("h2", {}, t("overview.all")), meter(progress), everybody(progress)));
}

async function queues(project) {
  const { kinds, lang } = wanted(project.id);
  const counts = await api.counts(project.id, { kinds: kinds ?? [], lang });
  return STATES.map((state) => h("a", { class: "card tile", href: `/label/${project.id}/queue/${state}` },
    h("span", { class: "number-big" }, number(counts[state])), h("span", { class: "dim" }, t(`queue.${state}`))));
}

/** Which kinds and which language to be given. */
function filters(project, changed) {
  const { kinds, lang } = wanted(project.id);
  const options = KINDS.filter((kind) => kind !== "review" || api.may("reviewer"));
  const onchange = () => { keep(project.id, kind.value, language.value); changed(); };
  const kind = h("select", { "aria-label": t("filter.kind"), value: kinds?.[0] ?? "", onchange },
    h("option", { value: "" }, t("filter.all_kinds")), options.map((each) => h("option", { value: each }, t(`kind.${each}`))));
  const language = h("select", { "aria-label": t("filter.lang"), value: lang, onchange },
    h("option", { value: "" }, t("filter.all_langs")), Object.entries(LANGUAGES).map(([code, name]) => h("option", { value: code }, name)));
  return [kind, language];
}

function everybody(progress) {
  const facts = [
    [number(progress.labels), t("progress.submitted", { n: progress.labels })],
    [duration(progress.minutes), t("progress.spent")],
    ...(progress.minutes_left === null ? [] : [[duration(progress.minutes_left), t("progress.left")]]),
  ];
  return h("div", { class: "grid facts" }, facts.map(([value, name]) => h("p", {}, h("span", { class: "number-big" }, value), h("span", { class: "dim" }, name))));
}
