// The server, spoken to in one place. A refusal becomes a Refused, whose words are in the reader's language; the
// session's CSRF token goes with everything that changes something, and is fetched anew once if it was stale.

import { known, t } from "./i18n.js";

/** What the server said no to: `code` for the program, `message` for the reader. status 0: nobody answered. */
export class Refused extends Error {
  constructor(status, { code, message, facts = {} }) {
    super(known(`refused.${code}`, undefined) ? t(`refused.${code}`, { ...facts, n: facts.seconds ?? 0 }) : message);
    Object.assign(this, { status, code, facts });
  }
}

let csrf = null;
let person = null;

export const me = () => person;
export const may = (role) => person !== null && ROLES.indexOf(person.role) >= ROLES.indexOf(role);
export const ROLES = ["labeller", "reviewer", "owner"];

/** Ask who is logged in. */
export async function session() {
  return known_as(await call("GET", "/api/session"));
}

function known_as(found) {
  ({ csrf, person } = found);
  return found;
}

async function call(method, path, body, { keepalive = false, type, again = false } = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = type ?? "application/json";
  if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
  let response;
  try {
    response = await fetch(path, {
      method, headers, keepalive, body: body === undefined ? undefined : type ? body : JSON.stringify(body),
    });
  } catch {
    throw new Refused(0, { code: "offline", message: "the server does not answer" });
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  const refused = new Refused(response.status, await reason(response));
  if (refused.code !== "csrf" || again) throw refused;
  await session();
  return call(method, path, body, { keepalive, type, again: true });
}

async function reason(response) {
  try {
    return (await response.json()).error;
  } catch {
    return { code: "unknown", message: `${response.status} ${response.statusText}` };
  }
}

const query = (values) => {
  const pairs = Object.entries(values).flatMap(([name, value]) => [value].flat().map((each) => [name, each]));
  const kept = pairs.filter(([, value]) => value !== "" && value !== undefined && value !== null);
  return kept.length ? `?${new URLSearchParams(kept)}` : "";
};

const get = (path, values = {}) => call("GET", path + query(values));
const post = (path, body = {}) => call("POST", path, body);

// accounts
export const login = async (name, password) => known_as(await post("/api/session", { name, password }));
export async function logout(isEverywhere = false) {
  await call("DELETE", isEverywhere ? "/api/sessions" : "/api/session");
  csrf = person = null;
}
export const changePassword = (old, fresh) => call("PUT", "/api/password", { old, new: fresh });
export const invitation = (token) => get(`/api/join/${encodeURIComponent(token)}`);
export const join = async (token, name, password) =>
  known_as(await post(`/api/join/${encodeURIComponent(token)}`, { name, password }));
export const people = async () => (await get("/api/people")).people;
export const setRole = (id, role) => call("PUT", `/api/people/${id}/role`, { role });
export const setPassword = (id, password) => call("PUT", `/api/people/${id}/password`, { password });
export const closeAccount = (id) => call("DELETE", `/api/people/${id}`);
export const invitations = async () => (await get("/api/invitations")).invitations;
export const invite = (role, days, uses) => post("/api/invitations", { role, days, uses });
export const withdraw = (id) => call("DELETE", `/api/invitations/${id}`);

// projects, guide, quiz
export const projects = async () => (await get("/api/projects")).projects;
export const project = (id) => get(`/api/projects/${id}`);
export const createProject = (name, guide) => post("/api/projects", { name, guide, settings: null });
export const changeSettings = (id, settings) => call("PATCH", `/api/projects/${id}/settings`, settings);
export const guide = (id, version) => get(`/api/projects/${id}/guide`, { version });
export const guides = async (id) => (await get(`/api/projects/${id}/guides`)).guides;
export const publishGuide = (id, texts, asksAgain) => post(`/api/projects/${id}/guide`, { texts, asks_again: asksAgain });
export const markdown = async (text) => (await post("/api/markdown", { text })).page;
export const quiz = (id) => get(`/api/projects/${id}/quiz`);
export const takeQuiz = (id, choices) => post(`/api/projects/${id}/quiz`, { choices });
export const quizSheet = (id) => get(`/api/projects/${id}/quiz/sheet`);
export const writeQuiz = (id, questions, passMark, asksAgain) =>
  call("PUT", `/api/projects/${id}/quiz/sheet`, { questions, pass_mark: passMark, asks_again: asksAgain });
export const standings = async (id) => (await get(`/api/projects/${id}/quiz/standings`)).people;
export const forgive = (id, person) => post(`/api/projects/${id}/quiz/forgive`, { person });

// work
export const counts = (id, values) => get(`/api/projects/${id}/counts`, values);
export const queue = async (id, state, offset = 0) => (await get(`/api/projects/${id}/queue/${state}`, { offset, limit: 50 })).entries;
export const next = async (id, kinds, lang) => (await post(`/api/projects/${id}/next`, { kinds, lang })).item;
export const open = (task) => post(`/api/tasks/${task}/open`);
export const save = (task, draft, revision, keepalive = false) =>
  call("PUT", `/api/tasks/${task}/draft`, { draft, revision }, { keepalive });
export const touch = (task) => post(`/api/tasks/${task}/touch`);
export const submit = (task, answer) => post(`/api/tasks/${task}/submit`, { answer });
export const discard = (task, why) => post(`/api/tasks/${task}/discard`, { why });
export const reopen = (task) => post(`/api/tasks/${task}/reopen`);
export const flag = async (task, why, answer) => (await post(`/api/tasks/${task}/flag`, { why, answer })).task;
export const flagSaid = async (id, messages, why) => (await post(`/api/projects/${id}/flags`, { messages, why, origin: "task" })).task;

// reviewers
export const flags = async (id) => (await get(`/api/projects/${id}/flags`)).flags;
export const tasks = async (id, values) => (await get(`/api/projects/${id}/tasks`, values)).tasks;
export const disputes = async (id) => (await get(`/api/projects/${id}/disputes`)).tasks;
export const dispute = (task) => get(`/api/tasks/${task}/dispute`);
export const decide = (task, answer) => post(`/api/tasks/${task}/decision`, { answer });
export const setOverlap = (task, overlap) => call("PUT", `/api/tasks/${task}/overlap`, { overlap });
export const retire = (task, why) => post(`/api/tasks/${task}/retire`, { why });

// figures, arena, judges
export const progress = (id) => get(`/api/projects/${id}/progress`);
export const agreement = async (id) => (await get(`/api/projects/${id}/agreement`)).questions;
export const work = async (id) => (await get(`/api/projects/${id}/work`)).people;
export const arena = (id) => get(`/api/projects/${id}/arena`);
export const battle = (id, prompt, lang) => post(`/api/projects/${id}/battles`, { prompt, lang });
export const vote = (task, choice) => post(`/api/tasks/${task}/vote`, { choice });
export const judges = async (id) => (await get(`/api/projects/${id}/judges`)).judges;
export const autonomy = (id, name) => get(`/api/projects/${id}/autonomy`, { name });
export const setAutonomy = (id, name, threshold) => call("PUT", `/api/projects/${id}/autonomy`, { name, threshold });
export const alone = async (id, name) => (await get(`/api/projects/${id}/alone`, { name })).decisions;

// data and audit
export const importFile = (id, file, values) =>
  call("POST", `/api/projects/${id}/import${query({ file: file.name, ...values })}`, file, { type: "application/x-ndjson" });
export const cut = (id, wanted) => post(`/api/projects/${id}/datasets`, wanted);
export const datasets = async (id) => (await get(`/api/projects/${id}/datasets`)).datasets;
export const datasetFile = (id) => `/api/datasets/${id}/file`;
export const sources = async (id, record) => (await get(`/api/datasets/${id}/records/${record}`)).sources;
export const audit = async (after, subject) => (await get("/api/audit", { after, subject, limit: 100 })).entries;
export const verify = () => post("/api/audit/verify");
