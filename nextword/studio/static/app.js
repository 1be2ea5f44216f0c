// The studio starts here: language, who is logged in, which view. Every view lies in views/ and is loaded when it is
// first shown.

import * as api from "./api.js";
import { h, put } from "./dom.js";
import { preferred, speak, t } from "./i18n.js";
import { listen } from "./keyboard.js";
import * as router from "./router.js";
import { header } from "./shell.js";

const VIEWS = {
  "/": ["home", "home"],
  "/login": ["account", "login"],
  "/join/:token": ["account", "join"],
  "/account": ["account", "account"],
  "/label": ["projects", "projects"],
  "/label/new": ["settings", "newProject"],
  "/label/:project": ["projects", "overview"],
  "/label/:project/guide": ["guide", "guide"],
  "/label/:project/quiz": ["quiz", "quiz"],
  "/label/:project/quiz/edit": ["quiz_editor", "edit"],
  "/label/:project/work": ["work", "next"],
  "/label/:project/task/:task": ["work", "task"],
  "/label/:project/queue/:state": ["queue", "queue"],
  "/label/:project/figures": ["figures", "figures"],
  "/label/:project/arena": ["arena", "arena"],
  "/label/:project/judges": ["judges", "judges"],
  "/label/:project/disputes": ["disputes", "disputes"],
  "/label/:project/dispute/:task": ["disputes", "dispute"],
  "/label/:project/tasks": ["tasks", "tasks"],
  "/label/:project/data": ["data", "data"],
  "/label/:project/settings": ["settings", "settings"],
  "/people": ["people", "people"],
  "/audit": ["audit", "audit"],
};
const OPEN = ["/login", "/join/"];

for (const [pattern, [file, name]] of Object.entries(VIEWS)) {
  router.route(pattern, async (place, params) => {
    if (!api.me() && !OPEN.some((start) => location.pathname.startsWith(start))) return toLogin();
    const view = await import(`./views/${file}.js`);
    header();
    return view[name](place, params);
  });
}

function toLogin() {
  const back = location.pathname === "/" ? "" : `?to=${encodeURIComponent(location.pathname)}`;
  return router.go(`/login${back}`, { replace: true });
}

router.otherwise({
  missing: (place) => {
    header();
    put(place, h("div", { class: "empty" }, h("h1", {}, t("missing.title")), h("p", {}, t("missing.text")),
      h("p", {}, h("a", { href: "/label" }, t("nav.projects")))));
  },
  failure: async (error, place) => {
    if (error.code === "not_signed_in") {
      await api.session();
      toLogin();
      return true;
    }
    if (error.code === "not_qualified") {
      const project = location.pathname.split("/")[2];
      router.go(`/label/${project}/quiz`, { replace: true });
      return true;
    }
    if (!(error instanceof api.Refused)) console.error(error);
    put(place, h("h1", {}, t("failed.title")), h("div", { class: "alert bad" }, h("p", {}, error.message)));
    return false;
  },
});

await speak(preferred());
document.getElementById("skip").textContent = t("skip");
listen();
try {
  await api.session();
  router.start();
} catch (error) {
  put(document.getElementById("main"), h("h1", {}, t("failed.title")), h("div", { class: "alert bad" }, h("p", {}, error.message)));
}
