// Coming in: logging in, taking up an invitation; and one's own account.

import * as api from "../api.js";
import { field, h, put } from "../dom.js";
import { t } from "../i18n.js";
import { toast } from "../live.js";
import { go } from "../router.js";
import { attempt, form, header } from "../shell.js";
import { button } from "../keyboard.js";

const password = (name, autocomplete) => h("input", { type: "password", name, autocomplete, required: true, minlength: autocomplete === "new-password" ? 10 : undefined });
const person = (attributes) => h("input", { name: "name", autocomplete: "username", required: true, maxlength: 64, autocapitalize: "none", spellcheck: "false", ...attributes });

export async function login(place) {
  const { is_new: isNew, person: somebody } = await api.session();
  header();
  if (somebody) return go("/label", { replace: true });
  const back = new URLSearchParams(location.search).get("to") ?? "/";
  const fields = [field(t("name"), person({ autofocus: true })), field(t("password"), password("password", "current-password"))];
  put(place, h("div", { class: "card narrow" },
    h("h1", {}, t("login.title")),
    h("p", { class: "lead" }, isNew ? t("login.new") : t("login.lead")),
    !isNew && form(t("login"), fields, async (values) => {
      await api.login(values.get("name"), values.get("password"));
      await go(/^\/(?!\/)/.test(back) ? back : "/", { replace: true });
    })));
  return undefined;
}

export async function join(place, { token }) {
  header();
  let found;
  try {
    found = await api.invitation(token);
  } catch (error) {
    put(place, h("div", { class: "card narrow" }, h("h1", {}, t("join.void")), h("p", { class: "lead" }, error.message),
      h("a", { class: "button", href: "/login" }, t("login"))));
    return;
  }
  put(place, h("div", { class: "card narrow" },
    h("h1", {}, found.is_first ? t("join.first") : t("join.title")),
    h("p", { class: "lead" }, t(`join.${found.role}`)),
    form(t("join"), [
      field(t("name"), person({ autofocus: true }), t("join.name")),
      field(t("password"), password("password", "new-password"), t("password.hint")),
    ], async (values) => {
      await api.join(token, values.get("name"), values.get("password"));
      await go("/label", { replace: true });
    })));
}

export function account(place) {
  const { name, pseudonym, role } = api.me();
  put(place, h("div", { class: "middle" },
    h("div", { class: "crumb" }, h("h1", {}, t("account.title"))),
    h("section", { class: "card" }, h("h2", {}, name, " ", h("span", { class: "tag" }, t(`roles.${role}`))),
      h("p", { class: "dim" }, t("account.pseudonym"), " ", h("code", {}, pseudonym))),
    h("section", { class: "card" }, h("h2", {}, t("account.password")),
      form(t("account.change"), [
        h("input", { type: "text", name: "username", autocomplete: "username", value: name, hidden: true, "aria-hidden": "true", tabindex: -1 }),
        field(t("password.old"), password("old", "current-password")),
        field(t("password.new"), password("new", "new-password"), t("password.hint")),
      ], async (values) => {
        await api.changePassword(values.get("old"), values.get("new"));
        await api.session();
        toast(t("account.changed"));
        await go("/login");
      })),
    h("section", { class: "card" }, h("h2", {}, t("account.sessions")), h("p", { class: "dim" }, t("account.sessions_text")),
      button(t("account.everywhere"), async () => { if (await attempt(() => api.logout(true))) go("/login"); }))));
}
