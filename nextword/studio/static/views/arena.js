// The arena: ask, get two answers from models that are not named, vote, learn who they were. And the ratings.

import * as api from "../api.js";
import { intervals } from "../chart.js";
import { fresh, h, put, table } from "../dom.js";
import { flagging } from "../flag.js";
import { number, t } from "../i18n.js";
import { button } from "../keyboard.js";
import { say } from "../live.js";
import { attempt, form, projectHead } from "../shell.js";
import { said, talk, textOf } from "../talk.js";

export async function arena(place, { project: id }) {
  const project = await api.project(id);
  const ring = h("section", { class: "card" });
  const ratings = h("section", { class: "card" });
  put(place, projectHead(project, t("arena.title")), ring, ratings);
  const found = await refresh(ratings, id);
  ask(ring, id, found.can_battle, () => refresh(ratings, id));
}

function ask(ring, id, canBattle, voted) {
  if (!canBattle) {
    put(ring, h("h2", {}, t("arena.no_models")), h("p", { class: "dim" }, t("arena.no_models_text")),
      h("pre", { tabindex: 0 }, "nextword label serve --model FIRST --model SECOND"));
    return;
  }
  const prompt = h("textarea", { class: "small", name: "prompt", id: fresh("prompt"), required: true, autofocus: true });
  put(ring, h("h2", {}, t("arena.ask")), h("p", { class: "dim" }, t("arena.lead")),
    form(t("arena.go"), [h("div", { class: "field" }, h("label", { for: prompt.id }, t("arena.prompt")), prompt)], async () => {
      say(t("arena.wait"));
      battle(ring, await api.battle(id, prompt.value, ""), voted, () => ask(ring, id, true, voted));
    }));
  prompt.focus();
}

function battle(ring, item, voted, again) {
  const cards = item.material.answers.map((each, at) => h("article", { class: "side-card" },
    h("h2", {}, t("kind.compare.answer", { name: at + 1 })), h("div", { class: "said" }, said(textOf(each.messages))),
    button(t("kind.compare.better", { name: at + 1 }), () => vote(at), { key: String(at + 1) })));
  const others = h("div", { class: "actions" },
    button(t("kind.compare.tie"), () => vote("tie"), { key: "t" }), button(t("kind.compare.bad"), () => vote("bad"), { key: "b", kind: "danger" }));
  const vote = (choice) => attempt(async () => {
    const { models } = await api.vote(item.task, choice);
    cards.forEach((card, at) => {
      card.querySelector("h2").append(" · ", h("strong", {}, models[at]));
      card.querySelector("button").remove();
      card.classList.toggle("chosen", choice === at);
    });
    put(others, button(t("arena.again"), again, { key: "enter", kind: "main" }),
      flagging(models.length, (why, at) => api.flag(item.task, why, at)));
    others.firstChild.focus();
    say(t("arena.were", { first: models[0], second: models[1] }));
    await voted();
  });
  put(ring, h("h2", { tabindex: -1 }, t("kind.compare.which")), talk(item.prompt), h("div", { class: "sides" }, cards), others);
  ring.querySelector("h2").focus();
}

async function refresh(section, id) {
  const found = await api.arena(id);
  const rows = found.ratings;
  put(section, h("h2", {}, t("arena.ratings")),
    rows.length === 0 ? h("p", { class: "dim" }, t("arena.no_votes")) : [
      intervals(rows.map((each) => [each.name, each.low, each.rating, each.high]), t("arena.ratings")),
      h("p", { class: "hint" }, t("arena.explained")),
      table(t("arena.ratings"), [t("arena.model"), t("arena.rating"), t("arena.interval"), t("arena.wins"), t("arena.losses"), t("arena.ties")],
        rows.map((each) => [each.name, { number: number(each.rating) }, { number: `${number(each.low)} – ${number(each.high)}` }, each.wins, each.losses, each.ties])),
    ]);
  return found;
}
