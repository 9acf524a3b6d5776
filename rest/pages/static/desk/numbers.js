// A period in numbers. A mean never stands without how many it is of, and what is not known is a dash, not a zero.

import { serverNow } from "../core/clock.js";
import { askAsMe } from "../core/session.js";
import { html } from "../core/ui.js";
import { formatNumber } from "../core/words.js";
import { Reading, useReading } from "../chat/states.js";
import { Scroll } from "./boards.js";
import { go } from "./place.js";
import { clockOf, named, short, t } from "./text.js";

const DAYS = ["1", "7", "30", "90"];
const HEADS = ["submitted", "accepted", "ended_resolved", "breached"];
const BY_AGENT = ["offered", "accepted", "ended_resolved", "ended_declined", "ended_missed", "ended_transferred", "breached"];

export function NumbersView({ floor, place }) {
  const { days = "7", queue = "" } = place;
  const reading = useReading((signal) => askAsMe("GET", `/v1/admin/desk/statistics?${queryOf(days, queue)}`, { signal }), [], { key: `${days} ${queue}` });
  return html`<div class="page-body">
    <form class="filters" aria-label=${t("filters")} onSubmit=${(event) => event.preventDefault()}>
      <label>${t("period")} <select value=${days} onChange=${({ target }) => go({ days: target.value }, { replace: true })}>
        ${DAYS.map((one) => html`<option key=${one} value=${one}>${t(`days_${one}`)}</option>`)}</select></label>
      <label>${t("queue")} <select value=${queue} onChange=${({ target }) => go({ queue: target.value || null }, { replace: true })}><option value="">${t("any")}</option>
        ${[...floor.queues.values()].map((one) => html`<option key=${one.queue_id} value=${one.queue_id}>${one.name}</option>`)}</select></label>
      <button type="button" class="button" onClick=${reading.again}>${t("refresh")}</button>
    </form>
    <${Reading} reading=${reading}>${(found) => html`<${Figures} floor=${floor} found=${found} />`}<//>
  </div>`;
}

function queryOf(days, queue) {
  const until = new Date(serverNow() + 1_000);
  const since = new Date(until.getTime() - Number(days) * 86_400_000);
  const query = new URLSearchParams({ since: since.toISOString(), until: until.toISOString() });
  if (queue) query.set("queue_id", queue);
  return query;
}

function Figures({ floor, found }) {
  const seconds = (value) => (value === null ? "–" : clockOf(value * 1000));
  const n = (count) => html`<small class="n-of">n = ${formatNumber(count)}</small>`;
  const score = found.score_mean_milli === null ? "–" : (found.score_mean_milli / 1000).toFixed(2);
  const share = found.asked ? `${Math.round((found.rated / found.asked) * 100)} %` : "–";
  return html`<dl class="tiles">
      ${HEADS.map((name) => html`<div key=${name} class="tile"><dt>${named("metric", name)}</dt><dd>${formatNumber(found.counts[name] ?? 0)}</dd></div>`)}
      <div class="tile"><dt>${t("wait_p50")}</dt><dd>${seconds(found.wait_p50_s)} ${n(found.waited)}</dd></div>
      <div class="tile"><dt>${t("wait_p90")}</dt><dd>${seconds(found.wait_p90_s)} ${n(found.waited)}</dd></div>
      <div class="tile"><dt>${t("score")}</dt><dd>${score} ${n(found.rated)}</dd></div>
      <div class="tile"><dt>${t("rated_share")}</dt><dd>${share} ${n(found.asked)}</dd></div>
    </dl>
    <${ByAgent} floor=${floor} found=${found} />
    <${Others} counts=${found.counts} />`;
}

function ByAgent({ floor, found }) {
  const rows = Object.entries(found.by_agent);
  if (!rows.length) return html`<p class="muted pad">${t("no_numbers")}</p>`;
  const used = BY_AGENT.filter((name) => rows.some(([, counts]) => counts[name]));
  return html`<section class="card board"><header><h2>${t("by_agent")}</h2></header><${Scroll}><table>
    <thead><tr><th scope="col">${t("agent")}</th>${used.map((name) => html`<th key=${name} scope="col" class="num">${named("metric", name)}</th>`)}</tr></thead>
    <tbody>${rows.map(([id, counts]) => html`<tr key=${id}><th scope="row">${floor.agents.get(id)?.name ?? short(id)}</th>${used.map((name) => html`<td key=${name} class="num">${formatNumber(counts[name] ?? 0)}</td>`)}</tr>`)}</tbody>
  </table><//></section>`;
}

function Others({ counts }) {
  const rest = Object.entries(counts).filter(([name, count]) => !HEADS.includes(name) && count);
  if (!rest.length) return null;
  return html`<section class="card board"><header><h2>${t("all_counts")}</h2></header>
    <dl class="facts counts">${rest.map(([name, count]) => html`<div key=${name}><dt>${named("metric", name)}</dt><dd>${formatNumber(count)}</dd></div>`)}</dl></section>`;
}
