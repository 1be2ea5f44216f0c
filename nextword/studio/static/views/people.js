// People and invitations, for owners.

import * as api from "../api.js";
import { field, h, put, table } from "../dom.js";
import { day, moment, t } from "../i18n.js";
import { button } from "../keyboard.js";
import { toast } from "../live.js";
import { attempt, confirmed, dialog, form } from "../shell.js";

const options = () => api.ROLES.map((role) => h("option", { value: role }, t(`roles.${role}`)));

export async function people(place) {
  const accounts = h("section", { class: "card" });
  const invitations = h("section", { class: "card" });
  put(place, h("div", { class: "crumb" }, h("h1", {}, t("people.title"))), inviting(() => listInvitations(invitations)), invitations, accounts);
  await Promise.all([listInvitations(invitations), listPeople(accounts)]);
}

function inviting(changed) {
  const link = h("div", { role: "status" });
  const role = h("select", { name: "role" }, options());
  const uses = h("input", { type: "number", name: "uses", min: 1, max: 10000, value: 1, required: true });
  const days = h("input", { type: "number", name: "days", min: 1, max: 365, value: 7, required: true });
  return h("section", { class: "card" }, h("h2", {}, t("invite.title")), h("p", { class: "dim" }, t("invite.text")),
    form(t("invite.go"), h("div", { class: "row fields" }, field(t("people.role"), role), field(t("invite.uses"), uses), field(t("invite.days"), days)), async (values) => {
      const made = await api.invite(values.get("role"), Number(values.get("days")), Number(values.get("uses")));
      const address = location.origin + made.path;
      const shown = h("input", { readonly: true, value: address, "aria-label": t("invite.link"), onfocus: (event) => event.target.select() });
      put(link, h("div", { class: "alert good" }, h("p", {}, t("invite.made")), h("div", { class: "row link" }, shown,
        button(t("copy"), async () => { await navigator.clipboard.writeText(address); toast(t("copied")); }))));
      await changed();
    }), link);
}

async function listInvitations(section) {
  const found = await api.invitations();
  section.hidden = found.length === 0;
  put(section, h("h2", {}, t("invite.open")), table(t("invite.open"), [t("people.role"), t("invite.by"), t("invite.left"), t("invite.until"), ""], found.map((each) => [
    t(`roles.${each.role}`), each.by, each.uses_left, moment(each.expires),
    button(t("invite.withdraw"), async () => { if (await attempt(() => api.withdraw(each.id), t("invite.withdrawn"))) listInvitations(section); }, { kind: "danger" }),
  ])));
}

async function listPeople(section) {
  const found = await api.people();
  const change = async (what) => { if (await attempt(what, t("done"))) listPeople(section); };
  put(section, h("h2", {}, t("people.all")), table(t("people.all"), [t("name"), t("people.pseudonym"), t("people.role"), t("people.since"), ""], found.map(({ person, is_active: isActive, created }) => [
    person.name, h("code", {}, person.pseudonym),
    person.is_machine ? t("machine") : isActive ? h("select", { "aria-label": t("people.role_of", { name: person.name }), value: person.role, onchange: (event) => change(() => api.setRole(person.id, event.target.value)) }, options()) : t("people.closed"),
    day(created),
    isActive && !person.is_machine && person.id !== api.me().id ? h("span", { class: "row" },
      button(t("people.password"), () => newPassword(person, change), { "aria-label": t("people.password_of", { name: person.name }) }),
      button(t("people.close"), async () => { if (await confirmed(t("people.close_sure", { name: person.name }), t("people.close"))) change(() => api.closeAccount(person.id)); }, { kind: "danger", "aria-label": t("people.close_of", { name: person.name }) })) : "",
  ])));
}

function newPassword(person, change) {
  const input = h("input", { type: "text", name: "password", minlength: 10, required: true, autocomplete: "off" });
  dialog(t("people.password_of", { name: person.name }), (close) => [
    form(t("account.change"), field(t("password.new"), input, t("password.hint")), async () => { await api.setPassword(person.id, input.value); close(); change(async () => {}); }),
    button(t("cancel"), close, { kind: "quiet" })]);
}
