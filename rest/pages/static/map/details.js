// What is known about one call (and why each technician near it was or was not offered it) or one technician.

import { Problem } from "../core/api.js";
import { serverNow } from "../core/clock.js";
import { askAsMe } from "../core/session.js";
import { html, useEffect, useState } from "../core/ui.js";
import { formatClock, formatDay, formatMetres, formatNumber } from "../core/words.js";
import { COLOURS, CALL_COLOURS } from "./pictures.js";
import { ageOf, Events, titleOf } from "./panel.js";
import { Bones, Fault } from "./signs.js";
import { named, short, t } from "./text.js";
import { doingState, nameOf, shownState } from "./world.js";

const REFRESH_MS = 5_000;
const RECENT_MAX = 10;
const TAKEN = new Set(["offered", "locked", "won"]);

/** Reads `path` now, every few seconds and whenever `turn` changes: `{answer, problem, again}`. */
function useReading(path, turn) {
  const [state, setState] = useState({ path: null, answer: null, problem: null });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    const read = async () => {
      try {
        const answer = await askAsMe("GET", path, { signal: stop.signal });
        setState({ path, answer, problem: null });
      } catch (problem) {
        if (stop.signal.aborted) return;
        if (!(problem instanceof Problem)) throw problem;
        // What was read before stays; the problem is shown beside it.
        setState((old) => ({ path, answer: old.path === path ? old.answer : null, problem }));
      }
    };
    void read();
    const timer = setInterval(read, REFRESH_MS);
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [path, turn, round]);
  const own = state.path === path ? state : { answer: null, problem: null };
  return { ...own, again: () => setRound(round + 1) };
}

/** How one candidate stands, in words and colour; `is_in`: the call has reached him. */
export function standing(candidate) {
  if (candidate.grab_state) {
    const colour = TAKEN.has(candidate.grab_state) ? COLOURS.free : COLOURS.stale;
    return { text: named("grab", candidate.grab_state), colour, is_in: true };
  }
  if (candidate.offered && !candidate.reason) {
    const colour = candidate.offer_state === "open" ? COLOURS.offered : COLOURS.stale;
    return { text: named("offer", candidate.offer_state), colour, is_in: true };
  }
  const reason = candidate.reason ?? "later_wave";
  return {
    text: named("why", reason),
    colour: reason === "later_wave" ? COLOURS.on_the_way : COLOURS.offline,
    is_in: false,
  };
}

function Head({ kind, title, colour, onClose }) {
  return html`<header class="details-head">
    <button class="icon back" onClick=${onClose} aria-label=${t("back")}>←</button>
    <div><small>${t(`details_of_${kind}`)}</small><h2 tabindex="-1" id="details-title">${title}</h2></div>
    <i class=${kind === "call" ? "diamond big" : "dot big"} style=${{ background: colour }}></i>
  </header>`;
}

/** `[key, value]` rows; what is not known has no row. */
function Facts({ rows }) {
  const known = rows.filter(([, value]) => value != null && value !== "" && value !== false);
  return html`<dl class="facts">
    ${known.map(([key, value]) => html`<div key=${key}><dt>${t(key)}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

function Pill({ colour, children }) {
  return html`<span class="pill" style=${colour && { "--colour": colour }}>${children}</span>`;
}

function Candidate({ one, onChoose }) {
  return html`<li>
    <button class="item" onClick=${() => onChoose({ kind: "worker", id: one.worker_id })}>
      <i class="dot" style=${{ "--colour": one.colour }}></i>
      <span class="what">
        <b>${one.display_name || short(one.worker_id)}</b>
        <small style=${{ color: one.is_in ? one.colour : null }}>${one.text}</small>
      </span>
      <span class="tail"><b>${formatMetres(one.distance_m)}</b></span>
    </button>
  </li>`;
}

const dayOf = (text) => (text ? formatDay(Date.parse(text)) : null);

export function CallDetails({ world, areas, call, turn, onChoose, onClose, onCandidates }) {
  const { answer, problem, again } = useReading(`/v1/calls/${call.id}/candidates`, turn);
  const candidates = (answer?.data ?? []).map((one) => ({ ...one, ...standing(one) }));
  useEffect(() => {
    onCandidates(candidates);
    return () => onCandidates([]);
  }, [answer]);
  const offered = candidates.filter((one) => one.is_in).length;
  const rows = [
    ["number", html`<code>${call.id}</code>`],
    ["subject", call.subject_id && html`<code>${short(call.subject_id)}</code>`],
    ["position", `${call.lat.toFixed(5)}, ${call.lon.toFixed(5)}`],
    ["mode", call.mode && named("mode", call.mode)],
    ["start_at", dayOf(call.start_at)],
    ["opened_at", dayOf(call.created_at)],
    ["locked_until", call.status === "locked" && call.locked_until && formatClock(Date.parse(call.locked_until))],
    ["winner", call.worker_id && nameOf(world, call.worker_id, short)],
  ];
  return html`<article class="details" aria-labelledby="details-title">
    <${Head} kind="call" title=${titleOf(call, areas)} colour=${CALL_COLOURS[call.status]} onClose=${onClose} />
    <${Facts} rows=${rows} />
    <p class="pills">
      <${Pill} colour=${CALL_COLOURS[call.status]}>${named("call", call.status)}<//>
      <${Pill}>${call.wave ? t("wave", { wave: call.wave }) : t("not_spread")}<//>
      ${call.ring_m > 0 && html`<${Pill}>${t("ring", { ring: formatMetres(call.ring_m) })}<//>`}
    </p>
    <h3>
      ${t("candidates")}
      ${answer && html`<small>${t("offered_count", { offered, all: candidates.length })}</small>`}
    </h3>
    ${problem && html`<${Fault} problem=${problem} onAgain=${again} />`}
    ${!answer && !problem && html`<${Bones} />`}
    ${answer && !candidates.length && html`<p class="empty">${t("candidates_none")}</p>`}
    <ul class="rows candidates">
      ${candidates.map((one) => html`<${Candidate} key=${one.worker_id} one=${one} onChoose=${onChoose} />`)}
    </ul>
  </article>`;
}

/** The order a worker is at; a fact on the socket is newer than what was read. */
function orderOf(order, trip) {
  if (trip) return `${short(trip.order_id)} · ${named("order", trip.status)}`;
  return order && `${short(order.id)} · ${named("order", order.status)}`;
}

function takesOf({ takes_pool, takes_direct }) {
  const kinds = [takes_pool && t("takes_pool"), takes_direct && t("takes_direct")].filter(Boolean);
  return kinds.join(" · ") || t("takes_none");
}

/** Where a worker takes work: an area by name, or everywhere. */
function areaOf(code, areas) {
  if (!code) return t("everything");
  return areas.find((area) => area.code === code)?.name ?? code;
}

export function WorkerDetails({ world, areas, worker, turn, onChoose, onClose }) {
  const now = serverNow();
  const [state, doing] = [shownState(world, worker, now), doingState(world, worker)];
  const { answer, problem, again } = useReading(`/v1/workers/${worker.id}`, turn);
  const rows = [
    ["number", html`<code>${worker.id}</code>`],
    ["position", worker.lat !== null && `${worker.lat.toFixed(5)}, ${worker.lon.toFixed(5)}`],
    ["heading", worker.heading !== null && `${Math.round(worker.heading)}°`],
    ["order_now", orderOf(answer?.order ?? null, world.trips.get(worker.id))],
  ];
  if (answer) {
    rows.push(
      ["area", areaOf(answer.area_code, areas)],
      ["radius", formatMetres(answer.radius_m)],
      ["takes", takesOf(answer)],
      ["skills", formatNumber(answer.services)],
      ["open_offers", formatNumber(answer.open_offers)],
      ["score", (answer.score_milli / 1000).toFixed(1)],
    );
  }
  const recent = world.events.filter(({ fact }) => fact.worker_id === worker.id).slice(0, RECENT_MAX);
  return html`<article class="details" aria-labelledby="details-title">
    <${Head} kind="worker" title=${nameOf(world, worker.id, short)} colour=${COLOURS[state]} onClose=${onClose} />
    <p class="pills">
      <${Pill} colour=${COLOURS[doing]}>${named("state", doing)}<//>
      <${Pill} colour=${COLOURS[state]}>${ageOf(worker, now)}<//>
    </p>
    <${Facts} rows=${rows} />
    ${problem && html`<${Fault} problem=${problem} onAgain=${again} />`}
    ${!answer && !problem && html`<${Bones} />`}
    <h3>${t("recent")}</h3>
    ${recent.length === 0 && html`<p class="empty">${t("nothing_recent")}</p>`}
    <${Events} events=${recent} world=${world} onChoose=${onChoose} />
  </article>`;
}
