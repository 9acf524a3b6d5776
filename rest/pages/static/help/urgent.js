// The line for when a person is in danger: all of support is called at once, and the police is one press away.

import { html, useRef, useState } from "../core/ui.js";
import { Confirm } from "./confirm.js";
import { factsOf, itemOf } from "./orders.js";
import { t } from "./text.js";

/** Shown while an order runs in which help can be called for. */
export function Urgent({ support }) {
  const [order, setOrder] = useState(null); // the one that is asked about
  const [called, setCalled] = useState(null); // the id of the one help is called for
  const key = useRef(null);
  const running = (support.orders ?? []).filter(({ allowed }) => allowed.includes("help"));
  if (!running.length) return null;
  const begin = (one) => {
    key.current = crypto.randomUUID();
    setOrder(one);
  };
  return html`<section class="urgent" aria-labelledby="urgent-title">
    <h2 id="urgent-title">${t("urgent")}</h2>
    <p>${t("urgent_lead")}</p>
    <ul>
      ${running.map(
        (one) => html`<li key=${one.id}>
          <div><b>${itemOf(one)}</b><small>${factsOf(one)}</small></div>
          <button class="danger" onClick=${() => begin(one)}>${t("urgent_call")}</button>
        </li>`,
      )}
    </ul>
    <p class="done" role="status">${called && t("urgent_called")}</p>
    <a class="button wide" href="tel:110">${t("urgent_police")}</a>
    ${
      order &&
      html`<${Confirm} title=${t("urgent_ask")} lead=${t("urgent_ask_lead")} action=${t("urgent_call")} kind="danger"
        onYes=${async () => {
          await support.callHelp(order.id, key.current);
          setCalled(order.id);
        }} onClose=${() => setOrder(null)} />`
    }
  </section>`;
}
