// The open conversation: how it stands, what was said, where one writes, and in the end how it was.

import { Problem } from "../core/api.js";
import { html, useEffect, useRef, useSource, useState } from "../core/ui.js";
import { Composer, sayDraft } from "../chat/composer.js";
import { plainName } from "../chat/message.js";
import { named as roleNamed, reasonOf } from "../chat/text.js";
import { Thread } from "../chat/thread.js";
import { ViewHead } from "./bar.js";
import { Confirm } from "./confirm.js";
import { useDraft } from "./drafts.js";
import { titleOf } from "./home.js";
import { OrderCard } from "./orders.js";
import { go } from "./place.js";
import { Rating } from "./rating.js";
import { Standing } from "./standing.js";
import { OVER, WAITS } from "./support.js";
import { t } from "./text.js";

export function Talk({ support, id }) {
  const { talks } = support;
  const [asked, setAsked] = useState(null); // the step that is asked about
  const [fault, setFault] = useState(null);
  const [draft, setDraft] = useDraft(id);
  const field = useRef(null);
  const head = useRef(null);
  const key = useRef(null);
  useSource(talks);
  useEffect(() => {
    void talks.open(id);
    support.readLater([id]);
    head.current.focus({ preventScroll: true });
  }, [id]);
  const row = talks.row(id);
  const log = talks.log(id);
  const standing = support.standings.get(id);
  const rating = support.ratings.get(id);
  const isLive = support.link.phase === "live";
  const send = () => {
    sayDraft(talks, id, draft).catch((problem) => setFault(reasonOf(problem)));
    setDraft({ text: "", files: [], quote: null, editing: null });
  };
  const act = async (verb) => {
    try {
      await support.act(id, verb, key.current);
    } catch (problem) {
      if (problem.code !== "talks_elsewhere") throw problem;
      go({ c: problem.document.conversation_id }, { replace: true }); // the same thing is talked about there
    }
  };
  const begin = (verb) => {
    key.current = crypto.randomUUID();
    setFault(null);
    if (verb === "withdraw") setAsked(verb);
    else
      act(verb).catch((problem) => {
        if (!(problem instanceof Problem)) throw problem;
        setFault(reasonOf(problem));
      });
  };
  const on = {
    quote: (message) => (setDraft({ quote: message, editing: null }), field.current?.focus()),
    edit: (message) => (setDraft({ editing: message, quote: null, text: message.text }), field.current?.focus()),
    fail: (problem) => setFault(reasonOf(problem)),
    card: (data) => (data?.kind === "order" ? html`<${OrderCard} id=${data.id} />` : null),
  };
  const isAsked = rating && OVER.has(standing?.state);
  return html`<section class="talk" aria-label=${t("talk")}>
    <${ViewHead} support=${support} title=${row ? titleOf(support, row, standing) : t("talk")} head=${head} />
    ${standing && html`<${Standing} standing=${standing}><${Steps} standing=${standing} onStep=${begin} /><//>`}
    <p class="away" role="status">${!isLive && support.link.phase !== "connecting" && t("away")}</p>
    <${Thread} talks=${talks} id=${id} on=${on} nameOf=${(message) => nameOf(support, message)} />
    ${fault && html`<p class="fault talk-fault" role="alert">${fault} <button class="plain" onClick=${() => setFault(null)}>${t("close")}</button></p>`}
    ${isAsked && html`<${Rating} key=${rating.id} rating=${rating} onRate=${(body, key) => support.rate(id, body, key)} />`}
    ${
      log?.status === "ready" &&
      html`<${Composer} draft=${draft} onDraft=${setDraft} onSend=${send} field=${field} isLive=${isLive}
        closed=${row?.status === "closed" ? t("closed") : null} onTyping=${(isOn) => talks.typing(id, { isOn })}
        nameOf=${(message) => nameOf(support, message)} />`
    }
    ${
      asked &&
      html`<${Confirm} title=${t("withdraw_ask")} lead=${t("withdraw_lead")} action=${t("withdraw")} kind="danger"
        onYes=${() => act(asked)} onClose=${() => setAsked(null)} />`
    }
  </section>`;
}

/** What one may do with it as it is; the server has the last word. */
function Steps({ standing, onStep }) {
  const { state, kind } = standing;
  const steps = OVER.has(state)
    ? state === "closed"
      ? ["reopen"]
      : []
    : [...(WAITS.has(state) && kind === "chat" ? ["ticket"] : []), "withdraw"];
  if (!steps.length) return null;
  return html`<div class="steps">${steps.map(
    (step) => html`<button key=${step} class="button" onClick=${() => onStep(step)}>${t(`step_${step}`)}</button>`,
  )}</div>`;
}

/** Agents by the name they answer under, where it is known. */
function nameOf(support, message) {
  if (message.sender_role !== "agent") return plainName(message, support.me);
  const name = support.names.get(message.sender_id);
  return name ? `${roleNamed("role", "agent")} ${name}` : roleNamed("role", "agent");
}
