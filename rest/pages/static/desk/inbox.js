// The inbox: a list, the thread that is open, and what belongs to it. On a phone one of the three at a time.

import { html, useEffect, useRef, useState } from "../core/ui.js";
import { Empty } from "../chat/states.js";
import { Context } from "./context.js";
import { go, LISTS } from "./place.js";
import { Row } from "./row.js";
import { Talk } from "./talk.js";
import { t } from "./text.js";

export function Inbox({ floor, drafts, place, keys }) {
  const [isContextOpen, setContextOpen] = useState(false); // where there is no room for it beside the thread
  const list = floor.list(place.list);
  const talk = useRef({}); // what keys do in the open thread
  const cursor = useCursor(list, place.c);
  useEffect(() => floor.talks.view(place.c), [place.c]);
  useEffect(() => () => floor.talks.view(null), []);
  useEffect(() => setContextOpen(false), [place.c]);
  const open = (id) => {
    cursor.set(id);
    go({ c: id });
  };
  const step = (by) => {
    const at = list.findIndex((one) => one.conversation_id === cursor.id);
    const next = list[at === -1 ? 0 : Math.max(0, Math.min(list.length - 1, at + by))];
    if (next) open(next.conversation_id);
    return Boolean(next);
  };
  const unread = () => {
    const at = list.findIndex((one) => one.conversation_id === place.c);
    const next = [...list.slice(at + 1), ...list.slice(0, at + 1)].find((one) => floor.unread(one) > 0);
    if (next) open(next.conversation_id);
    return Boolean(next);
  };
  const after = (id) => {
    const at = list.findIndex((one) => one.conversation_id === id);
    const next = list[at + 1] ?? list[at - 1];
    go({ c: next && next.conversation_id !== id ? next.conversation_id : null });
  };
  keys.current = {
    next: () => step(1),
    previous: () => step(-1),
    unread,
    open: () => Boolean(cursor.id) && (open(cursor.id), true),
    ...talk.current,
    resolve_next: () => talk.current.resolve?.({ onDone: () => after(place.c) }) ?? false,
  };
  return html`<div class=${`panes${place.c ? " has-talk" : ""}${isContextOpen ? " has-context" : ""}`}>
    <section class="pane list-pane" aria-label=${t("list")}>
      <${Lists} floor=${floor} place=${place} />
      <${List} floor=${floor} list=${list} place=${place} cursor=${cursor} onOpen=${open} />
    </section>
    ${
      place.c
        ? html`<${Talk} key=${place.c} floor=${floor} drafts=${drafts} id=${place.c} keys=${talk} onAfter=${after}
            isContextOpen=${isContextOpen} onContext=${() => setContextOpen(!isContextOpen)} />
          <${Context} key=${`context-${place.c}`} floor=${floor} id=${place.c} onClose=${() => setContextOpen(false)} />`
        : html`<section class="pane talk-pane is-none"><${Empty} text=${t("nothing_open")}><p class="muted small">${t("nothing_open_keys")}</p><//></section>`
    }
  </div>`;
}

function Lists({ floor, place }) {
  return html`<div class="lists-bar" role="group" aria-label=${t("lists")}>
    ${LISTS.map((name) => {
      const rows = floor.list(name);
      const unread = name === "mine" ? rows.reduce((sum, one) => sum + floor.unread(one), 0) : 0;
      return html`<button key=${name} aria-pressed=${place.list === name} onClick=${() => go({ list: name })}>
        ${t(`list_${name}`)} <span class="n">${rows.length}</span>
        ${unread > 0 && html`<b class="count-badge" aria-label=${t("unread_count", { count: unread })}>${unread}</b>`}
      </button>`;
    })}
  </div>`;
}

function List({ floor, list, place, cursor, onOpen }) {
  const box = useRef(null);
  const onKeyDown = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const at = list.findIndex((one) => one.conversation_id === cursor.id);
    if (by) {
      const next = list[Math.max(0, Math.min(list.length - 1, at + by))];
      cursor.set(next.conversation_id);
      box.current.querySelector(`#row-${next.conversation_id}`)?.focus();
    } else if (event.key === "Enter" || event.key === " ") onOpen(cursor.id);
    else return;
    event.preventDefault();
  };
  if (!list.length) return html`<${Empty} text=${t(`empty_${place.list}`)} />`;
  return html`<ul ref=${box} class="rows" role="listbox" aria-label=${t(`list_${place.list}`)} onKeyDown=${onKeyDown}>
    ${list.map((thread) => {
      const id = thread.conversation_id;
      return html`<${Row} key=${id} floor=${floor} thread=${thread} isOpen=${place.c === id}
        tabindex=${(cursor.id ?? list[0].conversation_id) === id ? 0 : -1} onOpen=${() => onOpen(id)} />`;
    })}
  </ul>`;
}

/** The row the keys are at: what is open, or where one went with the arrows. */
function useCursor(list, open) {
  const [id, set] = useState(open);
  useEffect(() => {
    if (open) set(open);
  }, [open]);
  const isThere = list.some((one) => one.conversation_id === id);
  return { id: isThere ? id : (list[0]?.conversation_id ?? null), set };
}
