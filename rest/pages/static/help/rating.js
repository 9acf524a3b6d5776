// How was it? One question after each closure: stars, reasons, words. By the link one was sent, or in the thread.

import { ask, Problem } from "../core/api.js";
import { serverNow } from "../core/clock.js";
import { html, useRef, useState } from "../core/ui.js";
import { isComposing } from "../chat/composer.js";
import { reasonOf } from "../chat/text.js";
import { named, t } from "./text.js";

const SCORES = [1, 2, 3, 4, 5];
const TAGS = { good: ["fast", "kind", "solved", "clear"], poor: ["slow", "unsolved", "unclear", "rude"] };
const COMMENT_MAX = 500;

/** `rating`: the question with what was said; `onRate(body, key)` may refuse with a Problem. */
export function Rating({ rating, onRate }) {
  const [isChanging, setChanging] = useState(false);
  if (rating.score === null || isChanging) {
    return html`<${Survey} given=${rating} onRate=${async (body, key) => {
      await onRate(body, key);
      setChanging(false);
    }} />`;
  }
  const isOpen = rating.edited_until && Date.parse(rating.edited_until) > serverNow();
  return html`<${Thanks} score=${rating.score} onChange=${isOpen ? () => setChanging(true) : null} />`;
}

function Thanks({ score, onChange }) {
  return html`<div class="survey is-given" role="status">
    <p><b>${t("rate_thanks")}</b> <span class="given" aria-label=${t("rate_given", { score })}><span aria-hidden="true">${"★".repeat(score)}${"☆".repeat(5 - score)}</span></span></p>
    ${onChange && html`<button class="plain" onClick=${onChange}>${t("rate_change")}</button>`}
  </div>`;
}

function Survey({ given, onRate }) {
  const [score, setScore] = useState(given?.score ?? 0);
  const [tags, setTags] = useState(given?.tags ?? []);
  const [comment, setComment] = useState(given?.comment ?? "");
  const [isBusy, setBusy] = useState(false);
  const [fault, setFault] = useState(null);
  const key = useRef(null);
  const choices = score >= 4 ? TAGS.good : TAGS.poor;
  const change = (set, value) => {
    key.current = null; // another answer is another request
    set(value);
  };
  const submit = async (event) => {
    event.preventDefault();
    if (isBusy || !score) return;
    setBusy(true);
    setFault(null);
    key.current ??= crypto.randomUUID();
    const body = { score, tags: tags.filter((tag) => choices.includes(tag)), ...(comment.trim() ? { comment: comment.trim() } : {}) };
    try {
      await onRate(body, key.current);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setFault(reasonOf(problem));
      setBusy(false);
    }
  };
  const onKeyDown = (event) => event.key === "Enter" && isComposing(event) && event.stopPropagation();
  return html`<form class="survey" onSubmit=${submit} noValidate>
    <fieldset class="stars">
      <legend>${t("rate_ask")}</legend>
      <div>${SCORES.map(
        (value) => html`<label key=${value} class=${value <= score ? "is-on" : ""} title=${named("score", value)}>
          <input type="radio" name="score" value=${value} checked=${score === value} onChange=${() => change(setScore, value)} />
          <span aria-hidden="true">${value <= score ? "★" : "☆"}</span><span class="hidden">${t("rate_star", { score: value, word: named("score", value) })}</span></label>`,
      )}</div>
      <p class="score-word" aria-hidden="true">${score ? named("score", score) : t("rate_none")}</p>
    </fieldset>
    ${
      score > 0 &&
      html`<fieldset class="tags">
        <legend class="hidden">${t("rate_tags")}</legend>
        ${choices.map(
          (tag) => html`<label key=${tag}><input type="checkbox" checked=${tags.includes(tag)}
            onChange=${({ target }) => change(setTags, target.checked ? [...tags, tag] : tags.filter((one) => one !== tag))} />
            <span>${named("tag", tag)}</span></label>`,
        )}
      </fieldset>
      <textarea rows="2" maxlength=${COMMENT_MAX} aria-label=${t("rate_comment")} placeholder=${t("rate_comment")} value=${comment}
        onInput=${({ target }) => change(setComment, target.value)} onKeyDown=${onKeyDown}></textarea>`
    }
    <p class="fault" role="alert">${fault}</p>
    ${score > 0 && html`<button class="primary wide" type="submit" disabled=${isBusy}>${t(isBusy ? "rate_busy" : "rate_send")}</button>`}
  </form>`;
}

/** For whoever was sent the link, signed in or not. */
export function RateByLink({ token }) {
  const [rating, setRating] = useState({ score: null, tags: [], comment: null, edited_until: null });
  const [dead, setDead] = useState(null); // why the link opens nothing any more
  const rate = async (body, key) => {
    try {
      setRating(await ask("POST", "/v1/ratings", { body: { token, ...body }, key }));
    } catch (problem) {
      if (problem.code === "rating_token_invalid" || problem.code === "rating_closed") setDead(problem.code);
      else throw problem;
    }
  };
  return html`<main class="rate-alone">
    ${
      dead
        ? html`<div class="card" role="alert"><h2>${t(`rate_${dead === "rating_closed" ? "closed" : "invalid"}`)}</h2>
            <p class="muted">${t("rate_dead_lead")}</p></div>`
        : html`<div class="card"><div class="mark" aria-hidden="true"></div><h2>${t("rate_title")}</h2>
            <p class="muted">${t("rate_lead")}</p><${Rating} rating=${rating} onRate=${rate} /></div>`
    }
    <a class="button" href="/help">${t("to_help")}</a>
  </main>`;
}
