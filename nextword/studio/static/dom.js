// Elements from names, attributes and children. Text always becomes a text node, so nothing that a model or a
// stranger wrote can become markup; styles go through the CSSOM, because the page's policy forbids style="".

import { t } from "./i18n.js";

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "open", "selected", "readOnly", "indeterminate"]);

export const h = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);

export const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) continue; // after the children: a select's value needs its options
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  for (const name of PROPERTIES) if (attributes && name in attributes) element[name] = attributes[name] ?? "";
  return element;
}

/** Put these children in place of what was there. */
export function put(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

let numbers = 0;
/** A name that no other element of the page has, for labels and descriptions. */
export const fresh = (prefix) => `${prefix}-${++numbers}`;

/** A field with its label above it, and a hint under it where there is one. */
export function field(label, input, hint) {
  input.id ||= fresh("field");
  const under = hint && h("p", { class: "hint", id: `${input.id}-hint` }, hint);
  if (under) input.setAttribute("aria-describedby", under.id);
  return h("div", { class: "field" }, h("label", { for: input.id }, label), input, under);
}

/** A table with headings; a cell that is a number or {number: text} stands to the right. */
export function table(caption, head, rows) {
  const isNumber = (cell) => typeof cell === "number" || (cell && cell.number !== undefined);
  const numeric = head.map((_, at) => rows.length > 0 && rows.every((row) => isNumber(row[at])));
  const heading = (name) => name || h("span", { class: "unseen" }, t("actions"));
  const cell = (value, at) => {
    const shown = value && value.number !== undefined ? value.number : value;
    const content = typeof shown === "number" ? shown.toLocaleString(document.documentElement.lang) : shown;
    return at === 0 && !numeric[0]
      ? h("th", { scope: "row" }, content)
      : h("td", { class: numeric[at] && "number" }, content);
  };
  return h("div", { class: "wide", tabindex: 0, role: "region", "aria-label": caption },
    h("table", {},
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, head.map((name, at) => h("th", { scope: "col", class: numeric[at] && "number" }, heading(name))))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell))))));
}
