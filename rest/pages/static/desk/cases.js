// Questions business lines put to support: what may be decided now, what it would do to money, and deciding it.
//
// An outcome that moves money is tried first: the amounts are shown and confirmed, and the server refuses when they are
// others by then.

import { Problem } from "../core/api.js";
import { serverNow } from "../core/clock.js";
import { askAsMe } from "../core/session.js";
import { html, useState } from "../core/ui.js";
import { formatDay } from "../core/words.js";
import { Reading, useReading } from "../chat/states.js";
import { reasonOf } from "../chat/text.js";
import { Scroll } from "./boards.js";
import { AskForm, Dialog, Field } from "./dialog.js";
import { Order } from "./order.js";
import { go } from "./place.js";
import { clockOf, named, short, t, yuan } from "./text.js";

const STATES = ["open,taken", "open", "taken", "closed"];

export function CaseView({ floor, place }) {
  const { state = "open,taken", mine = "", case: chosen = null } = place;
  const query = new URLSearchParams({ state, sort: state === "closed" ? "newest" : "urgency", limit: "100" });
  const wanted = `${query}`;
  const news = [...floor.cases.values()].map(({ id, version }) => `${id}${version}`).join();
  const reading = useReading((signal) => askAsMe("GET", `/v1/admin/cases?${wanted}`, { signal }), [news], { key: wanted });
  const shown = (page) => page.data.filter((one) => !mine || one.taken_by === floor.me);
  return html`<div class=${`page-body with-side${chosen ? " has-side" : ""}`}>
    <div class="main-side">
      <form class="filters" aria-label=${t("filters")} onSubmit=${(event) => event.preventDefault()}>
        <label>${t("state")} <select value=${state} onChange=${({ target }) => go({ state: target.value }, { replace: true })}>
          ${STATES.map((one) => html`<option key=${one} value=${one}>${t(`cases_${one.replace(",", "_")}`)}</option>`)}</select></label>
        <label class="check"><input type="checkbox" checked=${Boolean(mine)} onChange=${({ target }) => go({ mine: target.checked ? "1" : null }, { replace: true })} /> ${t("cases_mine")}</label>
      </form>
      <${Reading} reading=${reading} isEmpty=${(page) => !shown(page).length} empty=${t("no_cases")}>
        ${(page) => html`<div class="card board"><${Scroll}><table><thead><tr>
          <th scope="col">${t("about")}</th><th scope="col">${t("priority")}</th><th scope="col">${t("due")}</th><th scope="col">${t("state")}</th><th scope="col">${t("taken_by")}</th><th scope="col">${t("opened")}</th></tr></thead>
          <tbody>${shown(page).map((one) => html`<${CaseRow} key=${one.id} floor=${floor} one=${one} isChosen=${one.id === chosen} />`)}</tbody></table><//></div>`}
      <//>
    </div>
    ${chosen && html`<aside class="side card" aria-label=${t("case")}><button class="tiny side-close" aria-label=${t("close")} onClick=${() => go({ case: null })}>✕</button><${CaseCard} key=${chosen} floor=${floor} id=${chosen} isWhole /></aside>`}
  </div>`;
}

function CaseRow({ floor, one, isChosen }) {
  return html`<tr class=${isChosen ? "is-chosen" : ""}>
    <td><button class="plain link-cell" aria-current=${isChosen} onClick=${() => go({ case: one.id })}>${named("case", one.type)}</button></td>
    <td class="num">${one.priority}</td>
    <td>${one.state === "closed" ? "–" : html`<${CaseDue} due_at=${one.due_at} />`}</td>
    <td><span class=${`chip is-${one.state}`}>${one.outcome ? named("outcome", one.outcome) : named("case_state", one.state)}</span></td>
    <td>${one.taken_by ? nameOf(floor, one.taken_by) : "–"}</td><td class="num">${formatDay(Date.parse(one.opened_at))}</td>
  </tr>`;
}

function CaseDue({ due_at }) {
  const left = Date.parse(due_at) - serverNow();
  const text = t(left < 0 ? "overdue" : "due_in", { what: t("decision"), clock: clockOf(Math.abs(left)) });
  return html`<span class=${`chip due is-${left < 0 ? "broken" : left < 120_000 ? "late" : "calm"}`}>${text}</span>`;
}

function nameOf(floor, id) {
  return id === floor.me ? t("me") : (floor.agents.get(id)?.name ?? floor.customer(id) ?? short(id));
}

/** One case with what can be done in it; `isWhole`: with its order and history too. */
export function CaseCard({ floor, id, isWhole = false }) {
  const version = floor.cases.get(id)?.version ?? 0;
  const reading = useReading((signal) => askAsMe("GET", `/v1/admin/cases/${id}`, { signal }), [version], { key: id });
  return html`<${Reading} reading=${reading}>${(found) => html`<${Shown} floor=${floor} found=${found.case ? found : { case: found, allowed: [] }} isWhole=${isWhole} onAgain=${reading.again} />`}<//>`;
}

function Shown({ floor, found: { case: one, allowed }, isWhole, onAgain }) {
  const [decision, setDecision] = useState(null); // the option whose form is open
  const [fault, setFault] = useState(null);
  const act = async (verb, body) => {
    setFault(null);
    try {
      await floor.post(`/v1/admin/cases/${one.id}/${verb}`, body);
      await floor.readCases();
      onAgain();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setFault(reasonOf(problem));
    }
  };
  const isMine = one.taken_by === floor.me;
  const isFree = one.state === "open";
  return html`<div class="case">
    <div class="case-head"><b>${named("case", one.type)}</b>${one.state !== "closed" && html`<${CaseDue} due_at=${one.due_at} />`}</div>
    <p class="muted">${one.state === "closed" ? named("outcome", one.outcome ?? "none") : one.taken_by ? t("case_with", { name: nameOf(floor, one.taken_by) }) : t("case_free")}${one.note && ` · ${one.note}`}</p>
    <div class="case-verbs">
      ${isFree && html`<button class="button" onClick=${() => void act("take")}>${t("case_take")}</button>`}
      ${one.state === "taken" && (isMine || floor.has("supervisor", "admin")) && html`<button class="button" onClick=${() => void act("release", {})}>${t("case_release")}</button>`}
      ${one.state !== "closed" && html`<button class="button" onClick=${() => void reach(floor, one, setFault)}>${t("case_talk")}</button>`}
    </div>
    ${one.state !== "closed" && (isMine || isFree || floor.has("supervisor", "admin")) && allowed.length > 0 && html`<div class="outcomes" role="group" aria-label=${t("decide")}>
      ${allowed.map((option) => html`<button key=${option.outcome} class=${`button${option.moves_money ? " moves" : ""}`} onClick=${() => setDecision(option)}>${named("outcome", option.outcome)}${option.moves_money && html` <span class="coin" title=${t("moves_money")}>¥</span>`}</button>`)}
    </div>`}
    <p class="fault" role="alert">${fault}</p>
    ${isWhole && html`<${Order} floor=${floor} id=${one.subject_id} turn=${one.version} /><${Steps} floor=${floor} id=${one.id} version=${one.version} />`}
    ${decision && html`<${DecideDialog} floor=${floor} one=${one} option=${decision} onClose=${() => setDecision(null)} onDone=${onAgain} />`}
  </div>`;
}

/** The conversation with the customer about it. */
async function reach(floor, one, setFault) {
  try {
    const { conversation_id } = await floor.post(`/v1/admin/cases/${one.id}/contact`, { party: "customer", way: "chat" });
    if (conversation_id) go({ view: "inbox", list: "all", c: conversation_id });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    setFault(reasonOf(problem));
  }
}

function Steps({ floor, id, version }) {
  const reading = useReading((signal) => askAsMe("GET", `/v1/admin/cases/${id}/history?limit=100`, { signal }), [version], { key: id });
  return html`<section class="timeline"><h3>${t("case_history")}</h3>
    <${Reading} reading=${reading} isEmpty=${(page) => !page.data.length} empty=${t("none")}>
      ${(page) => html`<ol>${[...page.data].reverse().map((step) => html`<li key=${step.n}><time>${formatDay(Date.parse(step.at))}</time>
        <div><b>${named("step", step.verb)}</b> <span>${step.by ? nameOf(floor, step.by) : t("by_itself")}</span>${(step.data.note || step.data.outcome) && html`<p>${[step.data.outcome && named("outcome", step.data.outcome), step.data.note].filter(Boolean).join(" · ")}</p>`}</div></li>`)}</ol>`}
    <//></section>`;
}

const MOVED = ["customer_refund", "customer_penalty", "worker_penalty", "refund_asked", "house_pays"];

/** What is decided, why, and with which particulars. What moves money is looked at before it is done. */
function DecideDialog({ floor, one, option, onClose, onDone }) {
  const [note, setNote] = useState("");
  const [params, setParams] = useState({});
  const [preview, setPreview] = useState(null);
  const set = (name, value) => {
    setParams({ ...params, [name]: value });
    setPreview(null);
  };
  const isReady = Boolean(note.trim()) && option.needs.every((name) => params[name]);
  const body = () => ({ outcome: option.outcome, note: note.trim(), params: Object.fromEntries(Object.entries(params).filter(([, value]) => value)) });
  const mustLook = option.moves_money && !preview;
  const submit = async () => {
    if (mustLook) {
      setPreview((await floor.post(`/v1/admin/cases/${one.id}/decide?dry_run=true`, body())).moved);
      throw new Look();
    }
    const shown = preview ? { preview_hash: preview.preview_hash } : {};
    try {
      await floor.post(`/v1/admin/cases/${one.id}/decide`, { ...body(), ...shown });
    } catch (problem) {
      if (problem.code === "preview_changed") setPreview(null);
      throw problem;
    }
    await floor.readCases();
  };
  return html`<${Dialog} title=${t("decide_as", { outcome: named("outcome", option.outcome) })} onClose=${onClose}>
    <${AskForm} key=${mustLook ? "look" : "do"} action=${t(mustLook ? "decide_look" : preview ? "decide_confirm" : "decide")} isReady=${isReady}
      onSubmit=${() => submit().catch(passLook)} onDone=${() => mustLook || (onClose(), onDone())}>
      <p class="muted">${named("case", one.type)}</p>
      ${[...option.needs, ...option.takes].map((name) => html`<${Param} key=${name} name=${name} value=${params[name]} isNeeded=${option.needs.includes(name)} onChange=${(value) => set(name, value)} />`)}
      <${Field} label=${t("decide_note")} hint=${t("decide_note_hint")}>
        <textarea rows="3" autofocus maxlength="500" value=${note} onInput=${({ target }) => setNote(target.value)}></textarea>
      <//>
      ${preview && html`<${Preview} preview=${preview} />`}
    <//>
  <//>`;
}

/** Not a failure: the amounts are shown now, and the same button confirms them. */
class Look extends Error {}

function passLook(error) {
  if (!(error instanceof Look)) throw error;
}

function Preview({ preview }) {
  const rows = MOVED.filter((name) => preview[name]?.amount);
  return html`<section class="preview" role="status"><h3>${t("preview")}</h3>
    <p>${named("order", preview.status_before)} → <b>${named("order", preview.status)}</b></p>
    ${
      rows.length
        ? html`<dl class="facts">${rows.map((name) => html`<div key=${name}><dt>${t(`moved_${name}`)}</dt><dd><b>${yuan(preview[name])}</b></dd></div>`)}</dl>`
        : html`<p class="muted">${t("moves_nothing")}</p>`
    }</section>`;
}

function Param({ name, value, isNeeded, onChange }) {
  const label = `${t(`param_${name}`)}${isNeeded ? "" : ` (${t("optional")})`}`;
  if (name === "consent") {
    return html`<label class="check"><input type="checkbox" checked=${Boolean(value)} onChange=${({ target }) => onChange(target.checked)} /> ${t("param_consent")}</label>`;
  }
  if (name === "worker_id") return html`<${Field} label=${label}><${WorkerSelect} value=${value} onChange=${onChange} /><//>`;
  if (name === "start_at") {
    return html`<${Field} label=${label}><input type="datetime-local" onInput=${({ target }) => onChange(target.value ? new Date(target.value).toISOString() : null)} /><//>`;
  }
  if (name === "amount") {
    return html`<${Field} label=${label}><input type="number" min="0.01" step="0.01" inputmode="decimal"
      onInput=${({ target }) => onChange(target.value ? { amount: Math.round(Number(target.value) * 100), currency: "CNY" } : null)} /><//>`;
  }
  return html`<${Field} label=${label}><input value=${value ?? ""} autocomplete="off" onInput=${({ target }) => onChange(target.value.trim())} /><//>`;
}

/** Technicians who are online, free ones first. */
function WorkerSelect({ value, onChange }) {
  const reading = useReading((signal) => askAsMe("GET", "/v1/workers", { signal }));
  const workers = [...(reading.data?.data ?? [])].sort((a, b) => Number(b.state === "free") - Number(a.state === "free"));
  return html`<select value=${value ?? ""} onChange=${({ target }) => onChange(target.value)}>
    <option value="">${t(reading.status === "loading" ? "reading" : "choose")}</option>
    ${workers.map((one) => html`<option key=${one.id} value=${one.id}>${one.display_name} · ${named("worker", one.state)}</option>`)}
  </select>`;
}
