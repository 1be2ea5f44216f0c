// The labelling guide: a page of its own, and beside every task.

import * as api from "../api.js";
import { h, put } from "../dom.js";
import { day, inOurs, language, t } from "../i18n.js";
import { button } from "../keyboard.js";
import { page } from "../page.js";
import { projectHead } from "../shell.js";

export async function guide(place, { project: id }) {
  const version = new URLSearchParams(location.search).get("version") ?? undefined;
  const [project, found, all] = await Promise.all([api.project(id), api.guide(id, version), api.guides(id)]);
  put(place, projectHead(project, t("guide.title")),
    h("p", { class: "dim" }, t("guide.version", { n: found.version, at: day(found.created) }), " ",
      all.filter((each) => each.version !== found.version).map((each) =>
        h("a", { href: `/label/${id}/guide?version=${each.version}` }, t("guide.other", { n: each.version }), " "))),
    h("article", { class: "guide page card", lang: langOf(found.pages) }, page(inOurs(found.pages), 1)));
}

const langOf = (pages) => (language() in pages ? language() : Object.keys(pages)[0]);

/** The guide in a column beside the work, which may be closed, and stays as it was left. */
export function guideBeside(project) {
  const key = "nextword.guide";
  const isWide = matchMedia("(min-width: 62rem)").matches;
  let isShown = isWide && localStorage.getItem(key) !== "closed";
  const aside = h("aside", { class: "aside", id: "guide", "aria-label": t("guide.title"), tabindex: 0 });
  const toggle = button(t("guide.title"), async () => {
    isShown = !isShown;
    localStorage.setItem(key, isShown ? "open" : "closed");
    await apply();
    if (isShown && !isWide) aside.scrollIntoView();
  }, { key: "g", kind: "quiet", "aria-controls": "guide" });

  async function apply() {
    aside.hidden = !isShown;
    toggle.setAttribute("aria-expanded", isShown);
    aside.parentElement?.classList.toggle("with-guide", isShown);
    if (!isShown || aside.hasChildNodes()) return;
    const found = await api.guide(project.id);
    put(aside, h("div", { class: "guide", lang: langOf(found.pages) }, page(inOurs(found.pages), 1)));
  }

  return { aside, toggle, apply };
}
