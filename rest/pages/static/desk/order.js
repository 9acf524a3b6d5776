// An order as support needs it: how it stands, what was paid, what has happened, where its technician is.

import { askAsMe } from "../core/session.js";
import { html } from "../core/ui.js";
import { Reading, useReading } from "../chat/states.js";
import { momentOf } from "../chat/text.js";
import { formatDay, own } from "../core/words.js";
import { Trip } from "./trip.js";
import { named, short, t, yuan } from "./text.js";

const ON_TRIP = new Set(["departed", "arrived", "in_service"]);

/** A line in a message that names an order. */
export function OrderCard({ id }) {
  const reading = useReading(() => askAsMe("GET", `/v1/admin/orders/${id}`), [], { key: id });
  if (reading.status !== "ready") return html`<p class="order-line"><b>${t("order")}</b> ${short(id)}</p>`;
  const order = reading.data;
  return html`<div class="order-line">
    <b>${own(order.item.name)}</b><span class="chip">${named("order", order.status)}</span>
    <small>${order.no} · ${yuan(order.price.payable ?? order.price.item)}</small>
  </div>`;
}

/** The whole order, with its timeline; `turn` grows when it may have changed. */
export function Order({ floor, id, turn }) {
  const reading = useReading(
    async (signal) => {
      const [order, events] = await Promise.all([
        askAsMe("GET", `/v1/admin/orders/${id}`, { signal }),
        askAsMe("GET", `/v1/admin/orders/${id}/events?limit=50`, { signal }),
      ]);
      return { order, events: events.data };
    },
    [turn],
    { key: id },
  );
  return html`<${Reading} reading=${reading}>${({ order, events }) => html`<${Shown} floor=${floor} order=${order} events=${events} />`}<//>`;
}

function Shown({ floor, order, events }) {
  const { price } = order;
  const facts = [
    ["fact_no", html`<code>${order.no}</code>`],
    ["fact_at", formatDay(Date.parse(order.start_at))],
    ["fact_where", [order.address.detail, order.address.contact].filter(Boolean).join(" · ") || t("rough_place")],
    ["fact_worker", order.worker ? order.worker.display_name : t("nobody_yet")],
    ["fact_payable", price.payable ? yuan(price.payable) : yuan(price.item)],
    ["fact_paid", html`${yuan(price.paid)}${price.refunded.amount > 0 && html` <small>${t("refunded", { amount: yuan(price.refunded) })}</small>`}`],
  ];
  return html`<div class="order">
    <div class="order-head"><b>${own(order.item.name)}</b><span class="chip is-order">${named("order", order.status)}</span></div>
    <dl class="facts">${facts.map(([name, value]) => html`<div key=${name}><dt>${t(name)}</dt><dd>${value}</dd></div>`)}</dl>
    ${order.worker && ON_TRIP.has(order.status) && html`<${Trip} key=${order.worker.worker_id} floor=${floor} order=${order} />`}
    <${Timeline} events=${events} />
  </div>`;
}

function Timeline({ events }) {
  const rows = [...events].sort((a, b) => b.n - a.n);
  return html`<details class="timeline" open=${rows.length < 4}>
    <summary>${t("timeline")} <span class="n">${rows.length}</span></summary>
    <ol>
      ${rows.map((event) => {
        const at = Date.parse(event.at);
        return html`<li key=${event.n}>
          <time title=${momentOf(at)}>${formatDay(at)}</time>
          <div><b>${named("order", event.to_status)}</b> <span>${named("who", event.who.split(":")[0])}</span>
            ${(event.reason || event.note) && html`<p>${[event.reason, event.note].filter(Boolean).join(" · ")}</p>`}</div>
        </li>`;
      })}
    </ol>
  </details>`;
}
