// A conversation on the page: who says what, as text and nothing but text.

import { h } from "./dom.js";
import { known, t } from "./i18n.js";

const SHORT = 160;

/** The text of a message, whose content may be in parts. */
export const contentOf = (message) =>
  typeof message.content === "string" ? message.content : (message.content ?? []).map((part) => part.text ?? "").join("");

/** The text of several messages, as answers have them. */
export const textOf = (messages) => messages.map(contentOf).join("\n");

/** The turns of a conversation, one under the other; `quote` is marked where it stands. */
export function talk(messages, quote) {
  return h("div", { class: "talk" }, messages.map((message) => {
    const text = contentOf(message);
    const name = message.role === "tool" && message.name ? ` · ${message.name}` : "";
    return h("div", { class: `turn ${message.role} ${text.length < SHORT ? "short" : ""}` },
      h("span", { class: "who" }, known(`role.${message.role}`, message.role) + name),
      message.tool_calls && h("p", { class: "hint" }, t("talk.calls", { names: message.tool_calls.map(nameOf).join(", ") })),
      h("div", { class: "said", tabindex: message.role === "tool" ? 0 : undefined, role: message.role === "tool" ? "group" : undefined, "aria-label": message.role === "tool" ? t("role.tool") : undefined },
        marked(text, message.role === "tool" ? quote : "")));
  }));
}

const nameOf = (call) => call.function?.name ?? call.name ?? "";

function marked(text, quote) {
  const at = quote ? text.indexOf(quote) : -1;
  return at < 0 ? said(text) : [text.slice(0, at), h("mark", {}, quote), text.slice(at + quote.length)];
}

/** A text as it was written, every character of it, with what stands in backticks in the letters of code. */
export const said = (text) => text.split(/(`[^`\n]+`)/).map((piece, at) => (at % 2 ? h("code", {}, piece) : piece));

/** What else belongs to a task: the quote it was made from, why it was flagged, answers that were bad. */
export function about(facts) {
  const { quote, flag, bad_answers: bad } = facts ?? {};
  const isAddress = /^https?:\/\//.test(quote?.url ?? "");
  return [
    quote && h("div", { class: "turn tool quote" },
      h("span", { class: "who" }, t("about.quote")), h("div", { class: "said" }, h("mark", {}, quote.quote ?? "")),
      h("p", { class: "hint" }, isAddress
        ? h("a", { href: quote.url, target: "_blank", rel: "noopener noreferrer nofollow" }, quote.url)
        : quote.url ?? quote.document ?? "")),
    flag && h("div", { class: "alert" }, h("p", {}, h("strong", {}, t("about.flag")), " ", flag.why ?? "")),
    bad?.length > 0 && h("details", { class: "note" }, h("summary", {}, t("about.bad", { n: bad.length })),
      h("div", { class: "talk" }, bad.map((text) => h("div", { class: "turn" }, h("div", { class: "said" }, said(text)))))),
  ];
}
