// Import and export: files become tasks, labels become numbered versions of datasets.

import * as api from "../api.js";
import { field, h, put, table } from "../dom.js";
import { day, number, t } from "../i18n.js";
import { button } from "../keyboard.js";
import { dialog, form, projectHead } from "../shell.js";
import { toast } from "../live.js";

const KINDS = ["", "write", "correct", "compare", "rate"];
const FORMATS = ["conversations", "comparisons", "rated", "labels"];
const SOURCES = ["import", "flag", "both_bad", "arena"];

export async function data(place, { project: id }) {
  const project = await api.project(id);
  const versions = h("section", { class: "card" });
  put(place, projectHead(project, t("data.title")), h("div", { class: "grid data" }, importing(id), exporting(id, versions)), versions);
  await list(versions, id);
}

function importing(id) {
  const result = h("div", { role: "status" });
  const file = h("input", { type: "file", name: "file", required: true, accept: ".jsonl,.json,.ndjson" });
  const kind = h("select", { name: "kind" }, KINDS.map((each) => h("option", { value: each }, each ? t(`kind.${each}`) : t("data.by_record"))));
  const overlap = h("input", { type: "number", name: "overlap", min: 1, max: 50, placeholder: t("data.as_project") });
  const gold = h("label", { class: "check" }, h("input", { type: "checkbox", name: "gold" }), t("data.gold"));
  return h("section", { class: "card" }, h("h2", {}, t("data.import")), h("p", { class: "dim" }, t("data.import_text")),
    form(t("data.import_go"), [field(t("data.file"), file), field(t("figures.kind"), kind), field(t("data.overlap"), overlap), gold], async (values) => {
      const done = await api.importFile(id, file.files[0], { kind: values.get("kind"), overlap: values.get("overlap"), gold: values.has("gold") });
      const skipped = Object.entries(done.skipped);
      put(result, h("div", { class: "alert good" }, h("p", {}, t("data.made", { n: done.made, known: done.known })),
        skipped.map(([why, count]) => h("p", {}, t("data.skipped", { n: count, why })))));
    }), result);
}

function exporting(id, versions) {
  const format = h("select", { name: "format" }, FORMATS.map((each) => h("option", { value: each }, t(`format.${each}`))));
  const name = h("input", { name: "name", maxlength: 100, placeholder: t("data.name_default") });
  const sources = h("fieldset", {}, h("legend", {}, t("data.sources")), SOURCES.map((each) =>
    h("label", { class: "check" }, h("input", { type: "checkbox", name: "source", value: each, checked: true }), t(`source.${each}`))));
  const machines = h("label", { class: "check" }, h("input", { type: "checkbox", name: "machines", checked: true }), t("data.machines"));
  return h("section", { class: "card" }, h("h2", {}, t("data.export")), h("p", { class: "dim" }, t("data.export_text")),
    form(t("data.export_go"), [field(t("data.format"), format), field(t("data.name"), name), sources, machines], async (values) => {
      const chosen = values.getAll("source");
      const made = await api.cut(id, {
        format: values.get("format"), name: values.get("name") || "", sources: chosen.length === SOURCES.length ? [] : chosen, kinds: [], has_machines: values.has("machines"),
      });
      toast(t("data.cut", { name: made.name, n: made.version, records: made.records }));
      await list(versions, id);
    }));
}

async function list(section, id) {
  const found = (await api.datasets(id)).reverse();
  put(section, h("h2", {}, t("data.versions")), found.length === 0 ? h("p", { class: "dim" }, t("data.no_versions"))
    : table(t("data.versions"), [t("data.name"), t("data.version"), t("data.format"), t("data.records"), t("data.change"), "SHA-256", t("tasks.made"), ""], found.map((each) => [
      each.name, each.version, t(`format.${each.format}`), each.records, { number: `+${number(each.added)} −${number(each.removed)}` },
      h("code", { title: each.sha256 }, each.sha256.slice(0, 12)), day(each.created),
      h("span", { class: "row" },
        h("a", { class: "button", href: api.datasetFile(each.id), download: "", "aria-label": t("data.download_of", { name: each.name, n: each.version }) }, t("data.download")),
        button(t("trace"), () => trace(id, each), { "aria-label": t("trace.of", { name: each.name, n: each.version }) })),
    ])));
}

/** Follow one line of a version's file back to who labelled it. */
function trace(project, version) {
  const line = h("input", { type: "number", name: "line", min: 1, max: version.records, value: 1, required: true });
  const found = h("div", { role: "status" });
  dialog(t("trace.of", { name: version.name, n: version.version }), (close) => [
    h("p", { class: "dim" }, t("trace.text")),
    form(t("trace"), field(t("trace.line"), line, t("trace.lines", { n: version.records })), async () => {
      const sources = await api.sources(version.id, Number(line.value) - 1);
      put(found, table(t("trace.found"), [t("figures.task"), t("trace.who"), t("guide.title")], sources.map((each) => [
        h("a", { href: `/label/${project}/dispute/${each.task}`, onclick: close }, t("disputes.task", { n: each.task })),
        h("span", { class: "row" }, h("code", {}, each.who), each.is_machine && h("span", { class: "tag" }, t("machine"))),
        each.guide === null ? "–" : t("guide.other", { n: each.guide }),
      ])));
    }), found, button(t("close"), close, { kind: "quiet" })]);
}
