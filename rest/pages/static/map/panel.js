// The side panel: numbers, and three lists that say in words what the map says in pictures.

import { serverNow } from "../core/clock.js";
import { html, useState } from "../core/ui.js";
import { formatClock, formatMetres, formatNumber, formatSeconds } from "../core/words.js";
import { CALL_COLOURS, COLOURS } from "./pictures.js";
import { named, short, t, tell } from "./text.js";
import { doingState, nameOf, ON_MAP, shownState, STATES } from "./world.js";

const COLLATOR = new Intl.Collator("zh"); // made once: comparing names without it is a hundred times slower
const NARROW_PX = 720;
const ROWS_MAX = 100; // longer lists are searched, not scrolled

/** What is not known is a dash, never a zero. */
export function Numbers({ world, count, status }) {
  const known = (value, isKnown) => (isKnown && value != null ? formatNumber(value) : "–");
  const tiles = [
    ["online", known(count.online, world.is_read)],
    ["free", known(count.free, world.is_read)],
    ["in_service", known(count.in_service, world.is_read)],
    ["open_calls", known(count.open, status === "ready")],
    ["locked_calls", known(count.locked, status === "ready")],
    ["offers_min", known(world.rates?.offers, true)],
    ["grabs_min", known(world.rates?.grabs, true)],
  ];
  const { stale, lost } = count.states;
  const note = stale + lost ? t("stale_note", { stale, lost }) : t("all_fresh");
  return html`<section class="numbers" aria-label=${t("title")}>
    <dl>
      ${tiles.map(
        ([key, value]) => html`<div key=${key} class=${`number n-${key}`}><dt>${t(key)}</dt><dd>${value}</dd></div>`,
      )}
    </dl>
    ${count.online > 0 && html`<p class=${stale + lost ? "note warn" : "note"}>${note}</p>`}
  </section>`;
}

const TABS = ["calls", "workers", "events"];

export function Tabs({ tab, onTab, counts }) {
  const onKey = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length];
    onTab(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  const badge = (name) => counts[name] != null && html`<span class="badge">${formatNumber(counts[name])}</span>`;
  return html`<div class="tabs" role="tablist" aria-label=${t("title")} onKeyDown=${onKey}>
    ${TABS.map((name) => {
      const isChosen = tab === name;
      return html`<button key=${name} role="tab" id=${`tab-${name}`} aria-selected=${isChosen}
        aria-controls="tab-panel" tabindex=${isChosen ? 0 : -1} onClick=${() => onTab(name)}>
        ${t(`tab_${name}`)}${badge(name)}
      </button>`;
    })}
  </div>`;
}

/** How long a call has waited; calls known only from facts count from when they were first heard of. */
function waited_s(call) {
  return call.created_at ? (serverNow() - Date.parse(call.created_at)) / 1000 : 0;
}

export function CallList({ world, areas, onChoose }) {
  const calls = [...world.calls.values()].filter((call) => ON_MAP.has(call.status));
  if (!calls.length) return html`<p class="empty">${t("no_calls")}</p>`;
  calls.sort((a, b) => waited_s(b) - waited_s(a));
  return html`<ul class="rows">
    ${calls.slice(0, ROWS_MAX).map(
      (call) => html`<li key=${call.id}>
        <button class="item" onClick=${() => onChoose({ kind: "call", id: call.id })}>
          <i class="diamond" style=${{ background: CALL_COLOURS[call.status] }}></i>
          <span class="what"><b>${titleOf(call, areas)}</b><small>${spreadOf(call)}</small></span>
          <span class="tail">
            <b>${named("call", call.status)}</b>
            <small>${t("waiting", { age: formatSeconds(waited_s(call)) })}</small>
          </span>
        </button>
      </li>`,
    )}
  </ul>`;
}

/** What people call a call: where it is, and the end of its id. */
export function titleOf(call, areas) {
  const name = areas.find((area) => area.code === call.area_code)?.name;
  return `${name ?? t("call")} ${short(call.id)}`;
}

function spreadOf(call) {
  if (!call.wave) return t("not_spread");
  const wave = t("wave", { wave: call.wave });
  return call.ring_m ? `${wave} · ${t("ring", { ring: formatMetres(call.ring_m) })}` : wave;
}

export function WorkerList({ world, onChoose }) {
  const [text, setText] = useState("");
  if (!world.workers.size) return html`<p class="empty">${t("no_workers")}</p>`;
  const found = search(world, text.trim().toLowerCase());
  return html`<div>
    <input class="search" type="search" placeholder=${t("search")} aria-label=${t("search")} value=${text}
      onInput=${(event) => setText(event.target.value)} />
    ${!found.length && html`<p class="empty">${t("no_match")}</p>`}
    <ul class="rows">
      ${found.slice(0, ROWS_MAX).map(
        ({ worker, state, name }) => html`<li key=${worker.id}>
          <button class="item" onClick=${() => onChoose({ kind: "worker", id: worker.id })}>
            <i class=${`dot ${state}`} style=${{ "--colour": COLOURS[state] }}></i>
            <span class="what"><b>${name}</b><small>${ageOf(worker, serverNow())}</small></span>
            <span class="tail"><b>${named("state", doingState(world, worker))}</b></span>
          </button>
        </li>`,
      )}
    </ul>
    ${found.length > ROWS_MAX && html`<p class="empty">${t("more", { count: found.length - ROWS_MAX })}</p>`}
  </div>`;
}

/** Workers whose name or id has the text, in the order of the legend, then by name. */
function search(world, wanted) {
  const now = serverNow();
  const found = [];
  for (const worker of world.workers.values()) {
    const name = nameOf(world, worker.id, short);
    if (wanted && !name.toLowerCase().includes(wanted) && !worker.id.includes(wanted)) continue;
    found.push({ worker, name, state: shownState(world, worker, now) });
  }
  return found.sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || COLLATOR.compare(a.name, b.name));
}

/** How old a worker's position is, in words. */
export function ageOf(worker, now) {
  return worker.at === null ? t("age_unknown") : t("age", { age: formatSeconds((now - worker.at) / 1000) });
}

export function EventList({ world, onChoose }) {
  if (!world.events.length) return html`<p class="empty">${t("no_events")}</p>`;
  return html`<${Events} events=${world.events} world=${world} onChoose=${onChoose} />`;
}

/** Facts in words, newest first; what is on the map can be chosen. */
export function Events({ events, world, onChoose }) {
  return html`<ol class="rows events">
    ${events.map(({ seq, at, topic, fact }) => {
      const target = targetOf(world, topic, fact);
      const text = tell(topic, fact, (id) => nameOf(world, id, short));
      return html`<li key=${seq}>
        <time dateTime=${fact.at}>${formatClock(at)}</time>
        ${target && html`<button class="plain" onClick=${() => onChoose(target)}>${text}</button>`}
        ${!target && html`<span>${text}</span>`}
      </li>`;
    })}
  </ol>`;
}

/** What a fact is about, if that is on the map. */
function targetOf(world, topic, fact) {
  if (topic === "call.changed" && world.calls.has(fact.call_id)) return { kind: "call", id: fact.call_id };
  if (fact.worker_id && world.workers.has(fact.worker_id)) return { kind: "worker", id: fact.worker_id };
  return null;
}

/** Colours with their meaning; each is a switch for the map. `onHide(states)` gets the set of those switched off. */
export function Legend({ count, onHide }) {
  const [hidden, setHidden] = useState(new Set());
  const toggle = (state) => {
    const next = new Set(hidden);
    if (!next.delete(state)) next.add(state);
    setHidden(next);
    onHide(next);
  };
  return html`<details class="legend" open=${window.innerWidth > NARROW_PX}>
    <summary>${t("legend")}</summary>
    <ul>
      ${STATES.map(
        (state) => html`<li key=${state}>
          <label title=${t("show_state", { state: named("state", state) })}>
            <input type="checkbox" checked=${!hidden.has(state)} onChange=${() => toggle(state)} />
            <i class=${`dot ${state}`} style=${{ "--colour": COLOURS[state] }}></i>
            <span>${named("state", state)}</span><b>${formatNumber(count.states[state])}</b>
          </label>
        </li>`,
      )}
    </ul>
  </details>`;
}
