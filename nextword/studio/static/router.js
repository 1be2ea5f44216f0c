// Which view an address shows. Addresses are paths, so that a link can be sent to somebody; the server answers
// every one with the same page. A view is a function (place, params) that fills the place; it may return what is
// to be done when the reader leaves, and is told by `place.signal` when that happened while it was still loading.

import { put } from "./dom.js";
import { say } from "./live.js";

const routes = [];
let leave = null;
let controller = new AbortController();
let failed = () => {};

/** Say which view a pattern shows: "/label/:project/work". */
export function route(pattern, view) {
  const parts = pattern.split("/").map((part) => (part.startsWith(":") ? `(?<${part.slice(1)}>[^/]+)` : part));
  routes.push([new RegExp(`^${parts.join("/")}/?$`), view]);
}

/** Go to an address of ours. */
export function go(address, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  return show();
}

/** Show what the address says, from its beginning. */
export async function show({ focus = true } = {}) {
  controller.abort();
  controller = new AbortController();
  const signal = controller.signal;
  await rest();
  const main = document.getElementById("main");
  const place = document.createElement("div");
  place.className = "place";
  place.signal = signal;
  const [view, params] = found(location.pathname);
  try {
    const after = await view(place, params);
    if (signal.aborted) return after?.();
    leave = after ?? null;
  } catch (error) {
    if (signal.aborted) return;
    if (await failed(error, place)) return;
  }
  put(main, place);
  const heading = place.querySelector("h1");
  document.title = `${heading?.textContent ?? "nextword"} · nextword`;
  if (focus) {
    window.scrollTo(0, 0);
    const first = place.querySelector("[autofocus]") ?? main;
    first.focus({ preventScroll: true });
    if (first === main && heading) say(heading.textContent);
  }
}

/** Let the view that is shown put away what it holds, a draft say. */
export async function rest() {
  const put = leave;
  leave = null;
  await put?.();
}

function found(path) {
  for (const [pattern, view] of routes) {
    const match = pattern.exec(path);
    if (match) return [view, Object.fromEntries(Object.entries(match.groups ?? {}).map(([name, part]) => [name, decodeURIComponent(part)]))];
  }
  return [routes.missing, {}];
}

/** What to do about addresses that nothing fits, and about views that fail. */
export function otherwise({ missing, failure }) {
  routes.missing = missing;
  failed = failure;
}

/** Follow the browser: clicks on our own links, and its back button. */
export function start() {
  window.addEventListener("popstate", () => show());
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const address = new URL(link.href);
    if (address.origin !== location.origin || link.target || link.hasAttribute("download")) return;
    if (address.pathname === location.pathname && address.hash) return;
    event.preventDefault();
    go(address.pathname + address.search);
  });
  return show({ focus: false });
}
