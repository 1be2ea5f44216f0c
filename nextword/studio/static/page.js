// Markdown that the server has read: [tag, attributes, ...children], and text. Only what a page may hold is made.

import { h } from "./dom.js";

const TAGS = new Set(["h1", "h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong",
  "a", "hr", "br", "table", "thead", "tbody", "tr", "th", "td", "s"]);
const ATTRIBUTES = new Set(["href", "rel", "target", "start", "class", "id"]);

/** The elements of a page; headings move down by `deeper`, because the view has a heading of its own. */
export function page(nodes, deeper = 0) {
  return nodes.map((node) => {
    if (typeof node === "string") return node;
    const [tag, attributes, ...children] = node;
    if (!TAGS.has(tag)) return page(children, deeper);
    const kept = Object.fromEntries(Object.entries(attributes ?? {}).filter(([name, value]) =>
      ATTRIBUTES.has(name) && (name !== "href" || /^(https?:|#)/.test(value))));
    const name = /^h\d$/.test(tag) ? `h${Math.min(6, Number(tag[1]) + deeper)}` : tag;
    return h(name, kept, ...page(children, deeper));
  });
}
