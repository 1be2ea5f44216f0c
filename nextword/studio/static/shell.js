// What is around every view: the header with who is here, the tabs of a project, and the frame of a form.

import * as api from "./api.js";
import { fresh, h, put } from "./dom.js";
import { LANGUAGES, language, speak, t } from "./i18n.js";
import { toast } from "./live.js";
import { button, showKeys } from "./keyboard.js";
import { forgetDrafts } from "./draft.js";
import * as router from "./router.js";

/** Draw the header anew: who is here and where they are may have changed. */
export function header() {
  const person = api.me();
  const at = location.pathname;
  const links = person ? [["/label", t("nav.projects")], ...(api.may("owner") ? [["/people", t("nav.people")], ["/audit", t("nav.audit")]] : [])] : [];
  put(document.getElementById("header"),
    h("div", { class: "bar-top" },
      h("a", { class: "brand", href: "/" }, h("img", { src: "/static/icon.svg", alt: "" }), "nextword", h("small", {}, t("studio"))),
      links.length > 0 && h("nav", { "aria-label": t("nav.main") },
        h("ul", {}, links.map(([href, name]) => h("li", {}, h("a", { href, "aria-current": at.startsWith(href) && "page" }, name))))),
      h("div", { class: "me" },
        button(t("keys"), showKeys, { kind: "quiet" }),
        h("button", { type: "button", class: "quiet", lang: otherLanguage(), onclick: switchLanguage }, LANGUAGES[otherLanguage()]),
        person && h("a", { class: "button quiet", href: "/account" }, person.name),
        person && h("button", { type: "button", class: "quiet", onclick: leave }, t("logout")))));
}

const otherLanguage = () => (language() === "en" ? "ko" : "en");

async function switchLanguage() {
  await speak(otherLanguage());
  document.getElementById("skip").textContent = t("skip");
  await router.show({ focus: false }); // what was typed is saved when the view is left, and is there again
  document.querySelector(".me button[lang]").focus();
}

async function leave() {
  await router.rest();
  try {
    await api.logout();
  } catch (error) {
    return toast(error.message, { kind: "bad" });
  }
  forgetDrafts(); // the next person at this computer must not find them
  return router.go("/login");
}

/** The top of a project's page: where we are, the heading, and the project's tabs. */
export function projectHead(project, title, aside) {
  const base = `/label/${project.id}`;
  const tabs = [
    ["", t("tab.overview")], ["/guide", t("tab.guide")], ["/figures", t("tab.figures")], ["/arena", t("tab.arena")],
    ...(api.may("reviewer") ? [["/disputes", t("tab.disputes")], ["/judges", t("tab.judges")], ["/tasks", t("tab.tasks")]] : []),
    ...(api.may("owner") ? [["/data", t("tab.data")], ["/settings", t("tab.settings")]] : []),
  ];
  const at = location.pathname.replace(/\/$/, "");
  return [
    h("div", { class: "crumb" },
      h("div", {},
        title && h("p", { class: "where" }, h("a", { href: "/label" }, t("nav.projects")), " / ", h("a", { href: base }, project.name)),
        h("h1", {}, title ?? project.name)),
      aside),
    h("nav", { class: "tabs", "aria-label": t("nav.project") },
      h("ul", {}, tabs.map(([path, name]) => h("li", {}, h("a", { href: base + path, "aria-current": at === base + path && "page" }, name))))),
  ];
}

/** A form that says why when it is refused, next to its button, and cannot be sent twice at once. */
export function form(label, fields, send, { kind = "main", key } = {}) {
  const refusal = h("p", { class: "alert bad", role: "alert", hidden: true });
  const submit = button(label, undefined, { type: "submit", kind, key });
  const onsubmit = async (event) => {
    event.preventDefault();
    refusal.hidden = true;
    submit.disabled = true;
    try {
      await send(new FormData(event.target));
    } catch (error) {
      refusal.textContent = error.message;
      refusal.hidden = false;
    } finally {
      submit.disabled = false;
    }
  };
  return h("form", { onsubmit }, fields, refusal, submit);
}

/** Do something that may be refused; then say so. Returns whether it was done. */
export async function attempt(what, done) {
  try {
    await what();
    if (done) toast(done);
    return true;
  } catch (error) {
    toast(error.message, { kind: "bad" });
    return false;
  }
}

/** A dialog over the page; its content is made by a function that is given how to close it. */
export function dialog(title, content, { closed } = {}) {
  const id = fresh("dialog");
  const shown = h("dialog", { "aria-labelledby": id, onclose: () => { shown.remove(); closed?.(); } },
    h("h2", { id }, title), content(() => shown.close()));
  document.body.append(shown);
  shown.showModal();
}

/** Ask before something that cannot be undone easily. */
export function confirmed(question, label) {
  return new Promise((resolve) => {
    let isSure = false;
    dialog(question, (close) => h("div", { class: "actions" },
      button(t("cancel"), close), button(label, () => { isSure = true; close(); }, { kind: "danger" })),
    { closed: () => resolve(isSure) });
  });
}
