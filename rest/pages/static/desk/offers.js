// What I am offered: over everything, with the time that is left, so that nobody waits for an answer nobody saw.

import { Problem } from "../core/api.js";
import { serverNow } from "../core/clock.js";
import { html, useEffect, useRef, useState } from "../core/ui.js";
import { gistOf, reasonOf } from "../chat/text.js";
import { go } from "./place.js";
import { Face } from "./row.js";
import { named, short, t, waitOf } from "./text.js";

export function Offers({ floor }) {
  const open = [...floor.offers.values()].filter(({ expires_at }) => Date.parse(expires_at) > serverNow());
  return html`<section class="offers" aria-live="assertive" aria-label=${t("offers")}>
    ${open.map((offer) => html`<${Offer} key=${offer.assignment_id} floor=${floor} offer=${offer} />`)}
  </section>`;
}

function Offer({ floor, offer }) {
  const [fault, setFault] = useState(null);
  const whole = useRef(Math.max(1_000, Date.parse(offer.expires_at) - serverNow()));
  const thread = floor.threads.get(offer.conversation_id);
  const row = floor.talks.row(offer.conversation_id);
  const left_ms = Date.parse(offer.expires_at) - serverNow();
  const name = thread ? (floor.customer(thread.customer_id) ?? short(thread.customer_id)) : "…";
  const answer = async (verb) => {
    try {
      await floor.answer(offer.assignment_id, verb);
      if (verb === "accept") go({ view: "inbox", list: "mine", c: offer.conversation_id });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setFault(reasonOf(problem));
      floor.floorLater();
    }
  };
  useEffect(() => {
    if (floor.offers.has(offer.assignment_id)) floor.readLater([offer.conversation_id]);
  }, [offer.assignment_id]);
  return html`<article class="offer card" aria-label=${t("offer_from", { name })}>
    <div class="offer-bar" aria-hidden="true"><i style=${{ width: `${Math.max(0, Math.min(100, (left_ms / whole.current) * 100))}%` }}></i></div>
    <${Face} id=${thread?.customer_id} name=${name} />
    <div class="offer-what">
      <b>${t("offer_from", { name })}</b>
      <p>${thread && html`${named("category", thread.category)} · ${t("waited", { age: waitOf((serverNow() - Date.parse(thread.queued_at)) / 1000) })}`}</p>
      ${row?.last && html`<p class="offer-gist">${gistOf(row.last)}</p>`}
      <p class="fault" role="alert">${fault}</p>
    </div>
    <div class="offer-end">
      <button class="button" onClick=${() => void answer("decline")}>${t("decline")}</button>
      <button class="primary" onClick=${() => void answer("accept")}>${t("accept", { seconds: Math.max(0, Math.ceil(left_ms / 1000)) })}</button>
    </div>
  </article>`;
}
