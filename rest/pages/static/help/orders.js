// Orders as a customer points at them: by item, time and how they stand.

import { html } from "../core/ui.js";
import { askAsMe } from "../core/session.js";
import { currentLanguage, formatDay } from "../core/words.js";
import { useReading } from "../chat/states.js";
import { named, t } from "./text.js";

export function itemOf(order) {
  const { name } = order.item;
  return name[currentLanguage() === "zh" ? "zh-CN" : "en"] ?? name.en ?? Object.values(name)[0];
}

/** What a list says of an order under its name. */
export function factsOf(order) {
  return [named("order", order.status), formatDay(Date.parse(order.start_at)), order.worker?.display_name].filter(Boolean).join(" · ");
}

/** An order in a message. */
export function OrderCard({ id }) {
  const reading = useReading((signal) => askAsMe("GET", `/v1/orders/${id}`, { signal }), [], { key: id });
  if (reading.status === "loading") return html`<div class="order-card is-coming" role="status" aria-label=${t("order")}></div>`;
  if (reading.status !== "ready") return html`<div class="order-card"><b>${t("order")}</b><small>${t("order_unread")}</small></div>`;
  const order = reading.data;
  return html`<div class="order-card">
    <b>${itemOf(order)}</b>
    <small>${factsOf(order)}</small>
    <small class="num">${t("order_no", { no: order.no })}</small>
  </div>`;
}
