// Words in the reader's language. A text is found by its key; {name} in it is replaced, and where it has
// several forms ({"one": ..., "other": ...}) the number `n` chooses. Only the language in use is loaded.

export const LANGUAGES = { en: "English", ko: "한국어" };

let texts = {};
let lang = "en";

export const language = () => lang;

/** The language that was chosen before, or the browser's, or English. */
export function preferred() {
  const kept = localStorage.getItem("nextword.lang");
  if (kept in LANGUAGES) return kept;
  return navigator.languages.map((each) => each.slice(0, 2)).find((each) => each in LANGUAGES) ?? "en";
}

/** Load a language and make it the page's. */
export async function speak(chosen) {
  const response = await fetch(`/static/${chosen}.json`);
  texts = await response.json();
  lang = chosen;
  localStorage.setItem("nextword.lang", chosen);
  document.documentElement.lang = chosen;
}

/** The text of this key; the key itself where there is none, which the tests look for. */
export function t(key, values = {}) {
  let text = texts[key];
  if (text && typeof text === "object") text = text[new Intl.PluralRules(lang).select(values.n)] ?? text.other;
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (_, name) => shown(values[name] ?? ""));
}

/** The text of a key that may be missing; then what stands in for it. */
export const known = (key, otherwise) => (key in texts ? t(key) : otherwise);

const shown = (value) => (typeof value === "number" ? number(value) : value);

export const number = (value, digits = 0) =>
  value.toLocaleString(lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const percent = (value) =>
  value === null || value === undefined ? "–" : value.toLocaleString(lang, { style: "percent", maximumFractionDigits: 0 });

export const clock = (when) => new Date(when).toLocaleTimeString(lang, { hour: "2-digit", minute: "2-digit" });

export const day = (when) => new Date(when).toLocaleDateString(lang, { dateStyle: "medium" });

export const moment = (when) => new Date(when).toLocaleString(lang, { dateStyle: "medium", timeStyle: "short" });

/** Minutes as a person says them: seconds, minutes, or hours with one digit. */
export function duration(minutes) {
  if (minutes < 1) return t("time.seconds", { n: Math.round(minutes * 60) });
  if (minutes < 90) return t("time.minutes", { n: Math.round(minutes) });
  return t("time.hours", { n: number(minutes / 60, 1) });
}

/** Words by language, as guides and quizzes hold them: ours, or the first there is. */
export const inOurs = (words) => words[lang] ?? words.en ?? Object.values(words)[0] ?? "";
