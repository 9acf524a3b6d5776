// A conversation as a log: what was said, what is on its way, who is writing. Follows its end while one is at the end.

import { serverNow } from "../core/clock.js";
import { html, useEffect, useLayoutEffect, useRef, useState, useTick } from "../core/ui.js";
import { reachOf, WINDOW } from "./log.js";
import { isTogether, Message, Pending, plainName } from "./message.js";
import { Bones, Fault } from "./states.js";
import { dayOf, named, t } from "./text.js";

const AT_END_PX = 60;
const STEP = 100; // by how many messages the window moves

/**
 * `nameOf(message)`: what to call its writer. `on`: {quote, edit, moved, place, card}. `isSeen`: what comes is read at
 * once.
 */
export function Thread({ talks, id, nameOf = (message) => plainName(message, talks.me), on = {}, isSeen = true, top }) {
  const log = talks.log(id);
  const box = useRef(null);
  const [end, setEnd] = useState(null); // index of the window's end; null: the newest
  const [picture, setPicture] = useState(null);
  const unreadFrom = useUnreadFrom(talks, id, log);
  const scroll = useEnd(box, id, log, end);
  useTick(10_000);
  useEffect(() => setEnd(null), [id]);
  const isAtEnd = scroll.isAtEnd && end === null;
  useEffect(() => {
    if (log?.status === "ready" && isSeen && isAtEnd && document.hasFocus()) talks.read(id, log.have);
  });
  useEffect(() => {
    const seen = () => isSeen && log?.status === "ready" && scroll.isAtEnd && talks.read(id, log.have);
    window.addEventListener("focus", seen);
    return () => window.removeEventListener("focus", seen);
  });
  if (!log || log.status === "loading" || log.status === "new") return html`<div class="thread"><${Bones} /></div>`;
  if (log.status === "failed") {
    return html`<div class="thread"><${Fault} problem=${log.problem} onAgain=${() => void talks.open(id)} /></div>`;
  }
  const stop = end ?? log.order.length;
  const start = Math.max(0, stop - WINDOW);
  const older = () => {
    scroll.hold();
    if (start > 0) setEnd(Math.max(WINDOW, stop - STEP));
    else void talks.older(id).then(() => setEnd((last) => (last === null && log.order.length > WINDOW ? WINDOW : last)));
  };
  const newest = () => {
    setEnd(null);
    scroll.toEnd();
  };
  const jump = (seq) => {
    const found = box.current.querySelector(`#m-${seq}`);
    found?.scrollIntoView({ block: "center" });
    found?.focus({ preventScroll: true });
  };
  const verbs = {
    ...on,
    open: setPicture,
    jump,
    recall: (message) => void talks.change(id, message.seq, null).catch(on.fail ?? (() => null)),
    retry: (item) => talks.outbox.retry(item.client_id),
    drop: (item) => talks.outbox.drop(item.client_id),
  };
  const unseen = isAtEnd ? 0 : log.order.filter((seq) => seq > scroll.seenSeq).length;
  return html`<div class="thread">
    <div class="log" ref=${box} role="log" aria-live="polite" aria-relevant="additions" aria-label=${t("log")}
      tabindex="0" onScroll=${scroll.onScroll} onKeyDown=${(event) => walk(event, box.current)}>
      ${
        start > 0 || log.hasOlder
          ? html`<button class="plain older" disabled=${log.isReadingOlder} onClick=${older}>
              ${t(log.isReadingOlder ? "older_busy" : "older")}
            </button>`
          : html`<p class="said-note">${t(log.order.length ? "beginning" : "nothing_said")}</p>`
      }
      ${top}
      ${drawn(log, start, stop, { talks, nameOf, on: verbs, unreadFrom, card: on.card })}
      ${end === null && talks.pending(id).map((item) => html`<${Pending} key=${item.client_id} item=${item} on=${verbs} />`)}
    </div>
    ${
      !isAtEnd &&
      html`<button class="button to-newest" onClick=${newest}>
        ↓ ${unseen ? t("newest_count", { count: unseen }) : t("newest")}
      </button>`
    }
    <${Typing} talks=${talks} id=${id} />
    ${picture && html`<${Large} url=${picture} onClose=${() => setPicture(null)} />`}
  </div>`;
}

/** Messages with days and the border of what is new between them. */
function drawn(log, start, stop, { talks, nameOf, on, unreadFrom, card }) {
  const parts = [];
  const now = serverNow();
  let before = start > 0 ? log.messages.get(log.order[start - 1]) : null;
  let day = null;
  for (const seq of log.order.slice(start, stop)) {
    const message = log.messages.get(seq);
    const today = dayOf(message.at, now);
    if (today !== day) parts.push(html`<p key=${`day-${seq}`} class="day"><span>${today}</span></p>`);
    const isBorder = unreadFrom !== null && seq > unreadFrom && (before?.seq ?? 0) <= unreadFrom;
    if (isBorder) parts.push(html`<p key="unread" class="day is-new"><span>${t("new_below")}</span></p>`);
    const isMine = message.sender_id === talks.me;
    const quoted = message.reply_to ? log.messages.get(message.reply_to) : null;
    const view = {
      isMine,
      isOurs: log.countsAll && message.sender_role !== "customer" && message.sender_role !== "worker",
      name: nameOf(message),
      isFirst: today !== day || isBorder || !isTogether(before, message),
      reach: isMine && !message.is_internal ? reachOf(log, message, talks.me) : null,
      isFresh: talks.isFresh(message),
      quoted,
      quotedName: quoted && nameOf(quoted),
      card,
    };
    const tabindex = seq === log.order[stop - 1] ? 0 : -1;
    parts.push(html`<${Message} key=${seq} message=${message} view=${view} on=${on} tabindex=${tabindex} />`);
    day = today;
    before = message;
  }
  return parts;
}

/** Arrows go from message to message; Enter into the actions of one, Escape out of them. */
function walk(event, box) {
  const here = event.target.closest("[data-seq]");
  if (event.key === "Enter" && event.target === here) here.querySelector(".said-actions button")?.focus();
  else if (event.key === "Escape" && here && event.target !== here) here.focus();
  else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && event.target.matches(".said-actions button")) {
    const other = event.key === "ArrowLeft" ? event.target.previousElementSibling : event.target.nextElementSibling;
    other?.focus();
  } else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && (here || event.target === box)) {
    const all = [...box.querySelectorAll("[data-seq]")];
    const at = here ? all.indexOf(here) + (event.key === "ArrowUp" ? -1 : 1) : all.length - 1;
    all[Math.max(0, Math.min(at, all.length - 1))]?.focus();
    event.preventDefault();
  } else return;
  event.stopPropagation();
}

/** Where what was unread begins, as it was when the conversation was opened. */
function useUnreadFrom(talks, id, log) {
  const kept = useRef({ id: null, from: null });
  if (log?.status === "ready" && kept.current.id !== id) {
    const row = talks.row(id);
    kept.current = { id, from: row && row.read_seq > 0 && row.unread > 0 ? row.read_seq : null };
  }
  return kept.current.id === id ? kept.current.from : null;
}

/** Keeps the end in sight while one is there, and one's place when older messages come above it. */
function useEnd(box, id, log, end) {
  const [isAtEnd, setAtEnd] = useState(true);
  const at = useRef({ isAtEnd: true, held: null, id: null, seenSeq: 0 });
  useLayoutEffect(() => {
    const holder = box.current;
    if (!holder) return;
    const state = at.current;
    if (state.id !== id) Object.assign(state, { id, isAtEnd: true, held: null });
    if (state.held !== null && holder.scrollHeight !== state.held) {
      holder.scrollTop += holder.scrollHeight - state.held;
      state.held = null;
    } else if (state.isAtEnd && end === null) {
      holder.scrollTop = holder.scrollHeight;
    }
    if (state.isAtEnd) state.seenSeq = log?.have ?? 0;
  });
  useEffect(() => {
    const holder = box.current;
    if (!holder) return undefined;
    // Pictures grow after they are drawn, the pane when the composer shrinks.
    const observer = new ResizeObserver(() => {
      if (at.current.isAtEnd) holder.scrollTop = holder.scrollHeight;
    });
    observer.observe(holder);
    const grown = () => at.current.isAtEnd && (holder.scrollTop = holder.scrollHeight);
    holder.addEventListener("load", grown, true);
    return () => {
      observer.disconnect();
      holder.removeEventListener("load", grown, true);
    };
  }, [id, log?.status]);
  return {
    isAtEnd,
    seenSeq: at.current.seenSeq,
    onScroll: ({ currentTarget: holder }) => {
      const isThere = holder.scrollHeight - holder.scrollTop - holder.clientHeight < AT_END_PX;
      at.current.isAtEnd = isThere;
      setAtEnd(isThere);
    },
    hold: () => (at.current.held = box.current.scrollHeight),
    toEnd: () => {
      at.current.isAtEnd = true;
      setAtEnd(true);
    },
  };
}

/** Apart from the log, so that it is not read out as something said. */
function Typing({ talks, id }) {
  const writers = talks.who("typing", id);
  const who = [...new Set(writers.map(({ role }) => named("role", role)))].join("、");
  return html`<p class="typing" role="status">
    ${writers.length > 0 && html`<span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>${t("typing", { who })}`}
  </p>`;
}

/** A picture over everything; Escape or a press closes it. */
function Large({ url, onClose }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} class="large" aria-label=${t("picture")} onClose=${onClose}
    onClick=${() => dialog.current.close()}>
    <img src=${url} alt=${t("picture")} />
    <button class="button" autofocus>${t("close")}</button>
  </dialog>`;
}
