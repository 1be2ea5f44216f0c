// A person's four queues: what is open, begun, handed in and left to others.

import * as api from "../api.js";
import { h, put } from "../dom.js";
import { moment, t } from "../i18n.js";
import { button } from "../keyboard.js";
import { projectHead } from "../shell.js";

const STATES = ["pending", "draft", "submitted", "discarded"];
const GOOD = { accepted: "good", amended: "good", rejected: "bad" };
const PAGE = 50;

export async function queue(place, { project: id, state }) {
  const [project, counts, entries] = await Promise.all([api.project(id), api.counts(id, {}), api.queue(id, state)]);
  const list = h("ul", { class: "list" }, entries.map((each) => line(id, each)));
  const more = button(t("more"), async () => {
    const further = await api.queue(id, state, list.children.length);
    list.append(...further.map((each) => line(id, each)));
    more.hidden = further.length < PAGE;
  });
  more.hidden = entries.length < PAGE;
  put(place, projectHead(project, t("queue.title")),
    h("nav", { class: "tabs", "aria-label": t("queue.title") }, h("ul", {}, STATES.map((each) =>
      h("li", {}, h("a", { href: `/label/${id}/queue/${each}`, "aria-current": each === state && "page" }, `${t(`queue.${each}`)} ${counts[each]}`))))),
    entries.length ? [list, h("div", { class: "actions" }, more)]
      : h("div", { class: "empty card" }, h("h2", {}, t(`queue.none_${state}`)), state === "pending" && counts.pending > 0
        && h("p", {}, h("a", { class: "button main", href: `/label/${id}/work` }, t("work.start")))));
}

const line = (project, entry) => h("li", {}, h("a", { href: `/label/${project}/task/${entry.task}` },
  h("span", { class: "tag" }, t(`kind.${entry.kind}`)), h("span", { class: "title" }, entry.title),
  entry.verdict && h("span", { class: `tag ${GOOD[entry.verdict] ?? ""}` }, t(`reviewed.${entry.verdict}`)),
  h("time", { datetime: entry.touched }, moment(entry.touched))));
