// Chinese and English. A page brings its own tables; missing words fall back to the key, which tests look for.

import { keep, recall } from "./kept.js";
import { makeSignal } from "./ui.js";

const KEPT = "fieldhub.language";
const changed = makeSignal();

let language = kept() ?? (navigator.languages.some((tag) => tag.toLowerCase().startsWith("zh")) ? "zh" : "en");
document.documentElement.lang = tag();

function kept() {
  const found = recall(KEPT);
  return found === "zh" || found === "en" ? found : null;
}

/** `zh` or `en`. */
export function currentLanguage() {
  return language;
}

/** The same as a BCP 47 tag, for Intl and Accept-Language. */
export function tag() {
  return language === "zh" ? "zh-CN" : "en";
}

/** One of the texts of the server, which come by language tag: ours, or the first there is. */
export function own(texts) {
  return texts[tag()] ?? Object.values(texts)[0];
}

export function setLanguage(next) {
  language = next;
  document.documentElement.lang = tag();
  keep(KEPT, next);
  changed.emit();
}

export const languageChanges = { subscribe: changed.subscribe };

/** `t(key, values)` over tables `{zh: {key: text}, en: {…}}`; `{name}` in a text is replaced by its value. */
export function makeWords(tables) {
  return (key, values = {}) => {
    const text = tables[language][key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  };
}

/** `named(prefix, value)`: a word for a value of the server; one this page does not know yet is shown as it is. */
export function makeNames(t) {
  return (prefix, value) => {
    const text = t(`${prefix}_${value}`);
    return text === `${prefix}_${value}` ? String(value ?? "–") : text;
  };
}

/** The last six characters of an id: what people read out to each other. */
export function short(id) {
  return id ? `…${id.slice(-6)}` : "–";
}

export function formatNumber(value) {
  return new Intl.NumberFormat(tag()).format(value);
}

/** Metres for people: 340 m, 2.4 km. */
export function formatMetres(metres) {
  if (metres == null) return "–";
  if (metres < 1000) return `${Math.round(metres)} m`;
  return `${(metres / 1000).toFixed(metres < 10_000 ? 1 : 0)} km`;
}

/** A length of time for people: 4 s, 3 min, 2 h. */
export function formatSeconds(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [value, unit] =
    whole < 100 ? [whole, "s"] : whole < 6000 ? [Math.round(whole / 60), "min"] : [Math.round(whole / 3600), "h"];
  const zh = { s: "秒", min: "分钟", h: "小时" };
  return language === "zh" ? `${value} ${zh[unit]}` : `${value} ${unit}`;
}

/** Time of day. */
export function formatClock(ms) {
  return new Intl.DateTimeFormat(tag(), {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
  }).format(ms);
}

/** Day and time of day. */
export function formatDay(ms) {
  const shape = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false };
  return new Intl.DateTimeFormat(tag(), shape).format(ms);
}
