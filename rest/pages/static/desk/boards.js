// The lines and the people: who waits where and for how long, and for supervisors the same large enough for a wall.

import { serverNow } from "../core/clock.js";
import { html } from "../core/ui.js";
import { Empty } from "../chat/states.js";
import { chats } from "./bar.js";
import { go } from "./place.js";
import { Due, Face } from "./row.js";
import { clockOf, named, short, t } from "./text.js";

function waited_s(at) {
  return at ? Math.max(0, (serverNow() - Date.parse(at)) / 1000) : null;
}

export function QueueView({ floor }) {
  const queues = [...floor.queues.values()];
  if (!queues.length) return html`<${Empty} text=${t("no_queues")} />`;
  return html`<div class="page-body">
    ${queues.map((queue) => html`<${Queue} key=${queue.queue_id} floor=${floor} queue=${queue} />`)}
  </div>`;
}

function Queue({ floor, queue }) {
  const waiting = floor.list("queue").filter((one) => one.queue_id === queue.queue_id);
  const figures = [
    ["waiting", queue.waiting],
    ["oldest", queue.oldest_at ? clockOf(waited_s(queue.oldest_at) * 1000) : "–"],
    ["asked", queue.offered],
    ["served", queue.serving],
    ["ready", t("of", { n: queue.online, all: queue.members })],
  ];
  return html`<section class="card board" aria-label=${queue.name}>
    <header><h2>${queue.name}</h2>${!queue.is_active && html`<span class="chip is-high">${t("queue_off")}</span>`}
      <dl class="figures">${figures.map(([name, value]) => html`<div key=${name}><dt>${t(`figure_${name}`)}</dt><dd>${value}</dd></div>`)}</dl></header>
    ${
      waiting.length
        ? html`<${Scroll}><table><thead><tr>
            <th scope="col">${t("place")}</th><th scope="col">${t("customer")}</th><th scope="col">${t("about")}</th>
            <th scope="col">${t("severity")}</th><th scope="col">${t("waiting")}</th><th scope="col">${t("promise")}</th><th scope="col">${t("state")}</th></tr></thead>
          <tbody>${waiting.map((thread, n) => html`<${Waiting} key=${thread.conversation_id} floor=${floor} thread=${thread} place=${n + 1} />`)}</tbody></table><//>`
        : html`<p class="muted pad">${t("nobody_waits")}</p>`
    }
  </section>`;
}

export function Scroll({ children }) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${t("table")}>${children}</div>`;
}

function Waiting({ floor, thread, place }) {
  const due = floor.due(thread.conversation_id);
  const name = floor.customer(thread.customer_id) ?? short(thread.customer_id);
  return html`<tr>
    <td class="num">${place}</td>
    <td><button class="plain link-cell" onClick=${() => go({ view: "inbox", list: "queue", c: thread.conversation_id })}>${name}</button></td>
    <td>${named("category", thread.category)} ${thread.number && html`<span class="chip is-ticket">${thread.number}</span>`}</td>
    <td>${named("severity", thread.severity)}</td>
    <td class="num">${clockOf(waited_s(thread.queued_at) * 1000)}</td>
    <td>${due ? html`<${Due} due=${due} />` : "–"}</td>
    <td>${thread.state === "offered" ? t("offered_to", { name: floor.agents.get(thread.assignee_id)?.name ?? "–" }) : named("thread", thread.state)}</td>
  </tr>`;
}

export function WallView({ floor }) {
  const queues = [...floor.queues.values()];
  const sum = (name) => queues.reduce((all, queue) => all + queue[name], 0);
  const oldest = queues.map(({ oldest_at }) => waited_s(oldest_at) ?? 0).reduce((a, b) => Math.max(a, b), 0);
  const promises = [...floor.promises.values()].map(([first]) => first);
  const broken = promises.filter((due) => due.is_broken || Date.parse(due.due_at) < serverNow()).length;
  const soon = promises.filter((due) => !due.is_broken && due.warned >= 80).length;
  const agents = [...floor.agents.values()];
  const ready = agents.filter((one) => one.is_present && one.is_on_duty && one.state === "online");
  const tiles = [
    ["waiting", sum("waiting"), sum("waiting") > ready.length ? "late" : ""],
    ["oldest", sum("waiting") ? clockOf(oldest * 1000) : "–", oldest > 300 ? "late" : ""],
    ["served", sum("serving"), ""],
    ["broken", broken, broken ? "broken" : ""],
    ["soon", soon, soon ? "late" : ""],
    ["online", t("of", { n: ready.length, all: agents.length }), ready.length ? "" : "broken"],
  ];
  return html`<div class="page-body">
    <dl class="tiles">${tiles.map(([name, value, level]) => html`<div key=${name} class=${`tile ${level && `is-${level}`}`}><dt>${t(`tile_${name}`)}</dt><dd>${value}</dd></div>`)}</dl>
    <section class="card board"><header><h2>${t("agents")}</h2></header><${People} floor=${floor} agents=${agents} /></section>
    <section class="card board"><header><h2>${t("due_next")}</h2></header><${DueNext} floor=${floor} promises=${promises} /></section>
  </div>`;
}

const ORDER = ["online", "busy", "away", "offline"];

function People({ floor, agents }) {
  if (!agents.length) return html`<p class="muted pad">${t("no_agents")}</p>`;
  const shown = [...agents].sort((a, b) => Number(b.is_present) - Number(a.is_present) || ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.name.localeCompare(b.name, "zh"));
  return html`<ul class="people">
    ${shown.map((agent) => {
      const has = [...floor.threads.values()].filter((one) => one.assignee_id === agent.id && one.state !== "queued");
      const state = agent.is_present ? agent.state : "offline";
      return html`<li key=${agent.id} class=${`person is-${state}`}>
        <${Face} id=${agent.id} name=${agent.name} />
        <div><b>${agent.name}</b><small><i class=${`dot is-${state}`} aria-hidden="true"></i>${agent.is_present ? named("state", agent.state) : t("not_here")}${!agent.is_on_duty && ` · ${t("off_duty")}`}${agent.is_supervisor && ` · ${t("supervisor")}`}</small></div>
        <span class="capacity"><meter min="0" max=${agent.cap} value=${Math.min(agent.load, agent.cap)} aria-label=${t("capacity")}></meter>
          <span>${t("capacity_of", { used: chats(agent.load + agent.over_units), cap: chats(agent.cap) })}</span></span>
        <div class="person-has">${has.slice(0, 8).map((one) => html`<button key=${one.conversation_id} class="chip" onClick=${() => go({ view: "inbox", list: "all", c: one.conversation_id })}>${floor.customer(one.customer_id) ?? short(one.customer_id)}</button>`)}</div>
      </li>`;
    })}
  </ul>`;
}

function DueNext({ floor, promises }) {
  const shown = promises.slice(0, 12);
  if (!shown.length) return html`<p class="muted pad">${t("nothing_due")}</p>`;
  return html`<ul class="due-list">
    ${shown.map((one) => {
      const thread = floor.threads.get(one.conversation_id);
      return html`<li key=${one.conversation_id}><button class="plain link-cell" onClick=${() => go({ view: "inbox", list: "all", c: one.conversation_id })}>${floor.customer(thread?.customer_id) ?? short(one.conversation_id)}</button>
        <span class="muted">${thread?.assignee_id ? (floor.agents.get(thread.assignee_id)?.name ?? "") : t("nobody_yet")}</span><${Due} due=${floor.due(one.conversation_id)} /></li>`;
    })}
  </ul>`;
}

