// The open thread: its head with what can be done to it, the log, and where the answer is written.

import { html, useEffect, useRef, useSource, useState } from "../core/ui.js";
import { Composer, sayDraft } from "../chat/composer.js";
import { Sign } from "../chat/message.js";
import { reasonOf } from "../chat/text.js";
import { Thread } from "../chat/thread.js";
import { Canned, useCanned } from "./canned.js";
import { SERVED } from "./floor.js";
import { Moved } from "./moved.js";
import { OrderCard } from "./order.js";
import { go } from "./place.js";
import { Due, Face, timeOf } from "./row.js";
import { named, short, t } from "./text.js";
import { SnoozeDialog } from "./snooze.js";
import { ConvertDialog, ResolveDialog, TakeDialog, TransferDialog } from "./verbs.js";

export function Talk({ floor, drafts, id, keys, onAfter, isContextOpen, onContext }) {
  const { talks } = floor;
  const [asked, setAsked] = useState(null); // which dialog is open
  const [moved, setMoved] = useState(null);
  const [fault, setFault] = useState(null);
  const field = useRef(null);
  const thread = floor.threads.get(id);
  const row = talks.row(id);
  const log = talks.log(id);
  const draft = drafts.of(id);
  useSource(talks);
  useEffect(() => {
    floor.readLater([id]);
    void talks.open(id);
  }, [id]);
  useFollowing(floor, id);
  const can = whatCan(floor, thread);
  const write = (mode) => {
    drafts.change(id, { mode });
    requestAnimationFrame(() => field.current?.focus());
    return true;
  };
  const ask = (name) => {
    if (!can[name]) return false;
    setAsked(name);
    return true;
  };
  const canned = useCanned(floor, id, drafts, field);
  keys.current = {
    reply: () => write("reply"),
    note: () => write("note"),
    canned: () => write("reply") && canned.open(),
    take: () => ask("take"),
    transfer: () => ask("transfer"),
    snooze: () => ask("snooze"),
    resolve: (options = {}) => ask("resolve") && (setAsked({ name: "resolve", ...options }), true),
  };
  const send = () => {
    sayDraft(talks, id, drafts.of(id)).catch((problem) => setFault(reasonOf(problem)));
    drafts.clear(id);
  };
  const nameOf = (message) => writerOf(floor, thread, message);
  const on = {
    quote: (message) => drafts.change(id, { quote: message, editing: null }) ?? field.current?.focus(),
    edit: (message) => drafts.change(id, { editing: message, quote: null, text: message.text, mode: "reply" }) ?? field.current?.focus(),
    moved: setMoved,
    fail: (problem) => setFault(reasonOf(problem)),
    card: (data) => (data?.kind === "order" ? html`<${OrderCard} id=${data.id} />` : null),
  };
  const stuck = talks.pending(id).find((item) => item.state === "moved") ?? null;
  useEffect(() => {
    if (stuck) setMoved(stuck);
  }, [stuck?.client_id, stuck?.state]);
  const name = typeof asked === "string" ? asked : asked?.name;
  const close = () => setAsked(null);
  return html`<section class="pane talk-pane" aria-label=${t("talk")}>
    <${Head} floor=${floor} id=${id} thread=${thread} can=${can} onAsk=${ask} isContextOpen=${isContextOpen} onContext=${onContext} />
    <${Seen} floor=${floor} id=${id} />
    <${Thread} talks=${talks} id=${id} nameOf=${nameOf} on=${on} />
    ${fault && html`<p class="fault talk-fault" role="alert">${fault} <button class="plain" onClick=${() => setFault(null)}>${t("close")}</button></p>`}
    ${
      log?.status === "ready" &&
      html`<${Composer} draft=${draft} onDraft=${(changes) => drafts.change(id, changes)} onSend=${send} isStaff field=${field}
        isLive=${floor.link.phase === "live"} closed=${whyClosed(floor, thread, row)} nameOf=${nameOf}
        onTyping=${(isOn) => talks.typing(id, { isOn, isNote: draft.mode === "note" })} onKey=${canned.onKey}
        above=${canned.isOpen && html`<${Canned} canned=${canned} />`}
        tools=${html`<button class="tiny" aria-label=${t("canned")} title=${`${t("canned")} /`} onClick=${() => canned.toggle()}>
          <svg viewBox="0 0 20 20" aria-hidden="true"><path d="M11 2 4 12h5l-1 6 8-10h-5z" /></svg></button>`} />`
    }
    ${name === "transfer" && html`<${TransferDialog} floor=${floor} thread=${thread} onClose=${close} onDone=${() => onAfter(id)} />`}
    ${name === "resolve" && html`<${ResolveDialog} floor=${floor} thread=${thread} onClose=${close} onDone=${asked.onDone} />`}
    ${name === "snooze" && html`<${SnoozeDialog} floor=${floor} thread=${thread} onClose=${close} onDone=${() => onAfter(id)} />`}
    ${name === "take" && html`<${TakeDialog} floor=${floor} thread=${thread} onClose=${close} />`}
    ${name === "convert" && html`<${ConvertDialog} floor=${floor} thread=${thread} onClose=${close} />`}
    ${moved && talks.outbox.find(moved.client_id) && html`<${Moved} talks=${talks} item=${moved} nameOf=${nameOf} onClose=${() => setMoved(null)} onEdit=${(text) => drafts.change(id, { text, mode: "reply" }) ?? write("reply")} />`}
  </section>`;
}

/** Verbs this agent may use on the thread as it is. The server has the last word. */
function whatCan(floor, thread) {
  if (!thread || !floor.agent) return {};
  const isMine = thread.assignee_id === floor.me && SERVED.has(thread.state) && thread.state !== "offered";
  const isLive = thread.state === "queued" || SERVED.has(thread.state);
  return {
    transfer: isMine || (floor.isSupervisor && isLive),
    resolve: (isMine || floor.isSupervisor) && (thread.state === "open" || thread.state === "pending"),
    snooze: isMine && (thread.state === "open" || thread.state === "pending"),
    convert: (isMine || floor.isSupervisor) && isLive,
    take: floor.isSupervisor && !isMine && isLive,
  };
}

function whyClosed(floor, thread, row) {
  if (!row) return null;
  if (row.status === "closed") return t("closed_talk");
  if (thread && (thread.state === "resolved" || thread.state === "closed")) return t(`closed_${thread.state}`);
  const isOthers = row.assignee_id && row.assignee_id !== floor.me && !floor.has("supervisor", "admin");
  if (isOthers) return t("closed_others", { name: floor.agents.get(row.assignee_id)?.name ?? t("colleague") });
  return null;
}

function writerOf(floor, thread, message) {
  if (message.sender_id === floor.me) return t("me");
  if (message.sender_role === "customer") return floor.customer(message.sender_id) ?? named("role", "customer");
  const agent = floor.agents.get(message.sender_id);
  return agent ? agent.name : (floor.customer(message.sender_id) ?? named("role", message.sender_role));
}

/** Reads along in what another has, as long as it is open here; nobody who is served sees that. */
function useFollowing(floor, id) {
  const row = floor.talks.row(id);
  // As an observer one follows already; that must not end it.
  const isAside = row?.role === null || row?.role === "observer";
  const isOthers = Boolean(row?.assignee_id) && row.assignee_id !== floor.me && isAside;
  const isLive = floor.link.phase === "live";
  useEffect(() => {
    if (!isOthers || !isLive) return undefined;
    void floor.link.request("follow", { conversation_id: id }).catch(() => null);
    return () => void floor.link.request("unfollow", { conversation_id: id }).catch(() => null);
  }, [id, isOthers, isLive]);
}

function Head({ floor, id, thread, can, onAsk, isContextOpen, onContext }) {
  const name = thread ? (floor.customer(thread.customer_id) ?? short(thread.customer_id)) : short(id);
  const due = floor.due(id);
  const isEnding = floor.undo.has(`resolve:${id}`);
  const buttons = [
    ["take", "a"],
    ["snooze", "s"],
    ["transfer", "t"],
    ["convert", null],
    ["resolve", "e"],
  ].filter(([verb]) => can[verb]);
  return html`<header class="talk-head">
    <button class="tiny back" aria-label=${t("back")} onClick=${() => go({ c: null })}>‹</button>
    <${Face} id=${thread?.customer_id} name=${name} />
    <div class="talk-title">
      <h2>${name}</h2>
      <p>
        ${thread && html`<span>${named("category", thread.category)}</span><span>${named("thread", thread.state)}</span>`}
        ${thread?.number && html`<span class="chip is-ticket">${thread.number}</span>`}
        ${due && html`<${Due} due=${due} />`}
        ${thread?.snoozed_until && html`<span class="chip is-snoozed">${t("snoozed_until", { at: timeOf(Date.parse(thread.snoozed_until)) })}</span>`}
        ${isEnding && html`<span class="chip is-ending">${t("ending")}</span>`}
      </p>
    </div>
    <div class="talk-verbs">
      ${buttons.map(([verb, key]) => {
        const text = t(verb === "convert" ? (thread.kind === "chat" ? "to_ticket" : "to_chat") : verb);
        return html`<button key=${verb} class=${verb === "resolve" ? "button is-strong" : "button"} disabled=${isEnding}
          title=${key ? `${text} (${key})` : text} onClick=${() => onAsk(verb)}>${text}</button>`;
      })}
      <button class="tiny context-toggle" aria-expanded=${isContextOpen} aria-label=${t("context")} title=${t("context")}
        onClick=${onContext}><${Sign} path="M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 9v4.5M10 6.5v.01" /></button>
    </div>
  </header>`;
}

/** Colleagues who have it open too, before two answer at once. */
function Seen({ floor, id }) {
  const seen = floor.talks.who("viewing", id);
  if (!seen.length) return html`<div class="seen" role="status"></div>`;
  const names = seen.map(({ account_id }) => floor.agents.get(account_id)?.name ?? t("colleague")).join("、");
  return html`<div class="seen" role="status"><${Sign} path="M2 10s3-5 8-5 8 5 8 5-3 5-8 5-8-5-8-5zM10 8a2 2 0 1 0 0 4 2 2 0 0 0 0-4z" />${t("seen_by", { names })}</div>`;
}

