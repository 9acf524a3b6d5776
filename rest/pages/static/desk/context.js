// What belongs to the open thread: the customer, how it stands, the order, open cases, and what was talked of before.

import { Problem } from "../core/api.js";
import { serverNow } from "../core/clock.js";
import { askAsMe } from "../core/session.js";
import { html, useEffect, useRef, useState } from "../core/ui.js";
import { formatDay } from "../core/words.js";
import { Reading, useReading } from "../chat/states.js";
import { agoOf, reasonOf } from "../chat/text.js";
import { CaseCard } from "./cases.js";
import { Order } from "./order.js";
import { go } from "./place.js";
import { Face } from "./row.js";
import { named, short, t } from "./text.js";

const SEVERITIES = ["low", "normal", "high", "emergency"];

export function Context({ floor, id, onClose }) {
  const thread = floor.threads.get(id);
  const orderId = orderOf(floor, id, thread);
  const turn = useOrderTurn(floor, orderId);
  const cases = [...floor.cases.values()].filter((one) => one.subject_id === orderId);
  return html`<aside class="pane context-pane" aria-label=${t("context")}>
    <header class="context-head"><h2>${t("context")}</h2>
      <button class="tiny" aria-label=${t("close")} onClick=${onClose}>✕</button></header>
    ${thread ? html`<${Customer} floor=${floor} thread=${thread} />` : html`<p class="muted pad">${t("no_thread")}</p>`}
    ${
      cases.length > 0 &&
      html`<section class="block"><h3>${t("cases")} <span class="n">${cases.length}</span></h3>
        ${cases.map((one) => html`<${CaseCard} key=${one.id} floor=${floor} id=${one.id} />`)}</section>`
    }
    <section class="block">
      <h3>${t("order")}</h3>
      ${orderId ? html`<${Order} floor=${floor} id=${orderId} turn=${turn} />` : html`<p class="muted">${t("no_order")}</p>`}
    </section>
    ${thread && html`<${Former} floor=${floor} thread=${thread} />`}
  </aside>`;
}

/** The order it is about: its subject, or the last card somebody has shown in it. */
function orderOf(floor, id, thread) {
  const row = floor.talks.row(id);
  if (row?.subject_kind === "order") return row.subject_id;
  if (thread?.subject_kind === "order") return thread.subject_id;
  const log = floor.talks.log(id);
  const cards = [...(log?.order ?? [])].reverse().map((seq) => log.messages.get(seq));
  return cards.find((one) => one.kind === "order_card" && one.data?.kind === "order")?.data.id ?? null;
}

/** Grows with every fact about this order. */
function useOrderTurn(floor, orderId) {
  const [turn, setTurn] = useState(0);
  const wanted = useRef(orderId);
  wanted.current = orderId;
  useEffect(() => floor.orderNews.subscribe((id) => id === wanted.current && setTurn((last) => last + 1)), []);
  return turn;
}

function Customer({ floor, thread }) {
  const found = floor.names.get(thread.customer_id);
  const [fault, setFault] = useState(null);
  const name = found?.name || found?.phone_masked || short(thread.customer_id);
  const rate = async (severity) => {
    setFault(null);
    try {
      await floor.setSeverity(thread.conversation_id, severity);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setFault(reasonOf(problem));
    }
  };
  const facts = [
    ["phone", found?.phone_masked ?? "–"],
    ["queue", floor.queues.get(thread.queue_id)?.name ?? "–"],
    ["assignee", thread.assignee_id ? (floor.agents.get(thread.assignee_id)?.name ?? short(thread.assignee_id)) : t("nobody_yet")],
    ["opened", formatDay(Date.parse(thread.opened_at))],
  ];
  return html`<section class="block customer">
    <div class="customer-head"><${Face} id=${thread.customer_id} name=${name} />
      <div><b>${name}</b><small>${named("category", thread.category)}</small></div></div>
    <dl class="facts">
      ${facts.map(([label, value]) => html`<div key=${label}><dt>${t(label)}</dt><dd>${value}</dd></div>`)}
      <div><dt>${t("severity")}</dt><dd>
        ${
          floor.agent
            ? html`<select aria-label=${t("severity")} value=${thread.severity} onChange=${({ target }) => void rate(target.value)}>
                ${SEVERITIES.map((one) => html`<option key=${one} value=${one}>${named("severity", one)}</option>`)}</select>`
            : named("severity", thread.severity)
        }</dd></div>
      ${thread.resolution && html`<div><dt>${t("resolution")}</dt><dd>${thread.resolution}</dd></div>`}
    </dl>
    <p class="fault" role="alert">${fault}</p>
  </section>`;
}

function Former({ floor, thread }) {
  const { customer_id } = thread;
  const reading = useReading(
    (signal) => askAsMe("GET", `/v1/desk/conversations?customer_id=${customer_id}&limit=10`, { signal }),
    [],
    { key: customer_id },
  );
  const isOther = (row) => row.id !== thread.conversation_id;
  return html`<section class="block">
    <h3>${t("former")}</h3>
    <${Reading} reading=${reading} isEmpty=${(page) => !page.data.some(isOther)} empty=${t("former_none")}>
      ${(page) => html`<ul class="former">
        ${page.data.filter(isOther).map(
          (row) => html`<li key=${row.id}><button class="plain" onClick=${() => go({ view: "inbox", list: "all", c: row.id })}>
            <span>${row.last?.text || named("status", row.status)}</span><small>${agoOf(Date.parse(row.last_at), serverNow())}</small></button></li>`,
        )}
      </ul>`}
    <//>
  </section>`;
}
