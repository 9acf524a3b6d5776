// A new question: what it is about, which order, the first words; now as a chat or later as a ticket.

import { Problem } from "../core/api.js";
import { html, useEffect, useRef, useState } from "../core/ui.js";
import { isComposing, TEXT_MAX } from "../chat/composer.js";
import { reasonOf } from "../chat/text.js";
import { ViewHead } from "./bar.js";
import { factsOf, itemOf } from "./orders.js";
import { go } from "./place.js";
import { named, t } from "./text.js";

const TOPICS = ["order", "refund", "complaint", "coupon", "account", "other"];

export function AskView({ support, about }) {
  const orders = support.orders ?? [];
  const [topic, setTopic] = useState("order");
  const [order_id, setOrder] = useState(orders.some(({ id }) => id === about) ? about : "");
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(null); // chat | ticket
  const [fault, setFault] = useState(null);
  const head = useRef(null);
  const key = useRef(crypto.randomUUID());
  useEffect(() => head.current.focus(), []);
  const change = (set) => (event) => {
    key.current = crypto.randomUUID(); // another question is another request
    set(event.target.value);
  };
  const submit = async (kind) => {
    if (busy) return;
    if (!text.trim()) return setFault(t("ask_empty"));
    setBusy(kind);
    setFault(null);
    try {
      const id = await support.ask({ category: topic, kind, order_id, text: text.trim() }, `${key.current}-${kind}`);
      go({ c: id }, { replace: true });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setFault(reasonOf(problem));
      setBusy(null);
    }
  };
  const onKeyDown = (event) => {
    if (event.key !== "Enter" || isComposing(event) || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void submit("chat");
  };
  return html`<form class="ask" onSubmit=${(event) => (event.preventDefault(), void submit("chat"))} noValidate>
    <${ViewHead} support=${support} title=${t("ask")} head=${head} />
    <div class="ask-body">
      <fieldset class="topics">
        <legend>${t("ask_topic")}</legend>
        <div>${TOPICS.map(
          (name) => html`<label key=${name}><input type="radio" name="topic" value=${name} checked=${topic === name}
            onChange=${change(setTopic)} /><span>${named("topic", name)}</span></label>`,
        )}</div>
      </fieldset>
      ${
        orders.length > 0 &&
        html`<fieldset class="picks">
        <legend>${t("ask_order")}</legend>
        <label><input type="radio" name="order" value="" checked=${order_id === ""} onChange=${change(setOrder)} />
          <span><b>${t("ask_no_order")}</b></span></label>
        ${orders.map(
          (order) => html`<label key=${order.id}><input type="radio" name="order" value=${order.id}
            checked=${order_id === order.id} onChange=${change(setOrder)} />
            <span><b>${itemOf(order)}</b><small>${factsOf(order)}</small></span></label>`,
        )}
      </fieldset>`
      }
      <label class="words"><span>${t("ask_words")}</span>
        <textarea rows="4" maxlength=${TEXT_MAX} placeholder=${t("ask_hint")} value=${text} onInput=${change(setText)}
          onKeyDown=${onKeyDown}></textarea></label>
      <p class="fault" role="alert">${fault}</p>
    </div>
    <div class="ask-end">
      <div class="ask-both">
        <button class="button wide" type="button" disabled=${busy !== null} onClick=${() => void submit("ticket")}>${t("ask_ticket")}</button>
        <button class="primary big" type="submit" disabled=${busy !== null}>${t(busy === "chat" ? "ask_busy" : "ask_chat")}</button>
      </div>
      <p class="muted">${t("ask_ticket_hint")}</p>
    </div>
  </form>`;
}
