// All tickets and chats, also those that are over, by what they are and how they stand; the address is the filter.

import { askAsMe } from "../core/session.js";
import { html, useEffect, useRef, useState } from "../core/ui.js";
import { formatDay } from "../core/words.js";
import { Reading, useReading } from "../chat/states.js";
import { Bulk } from "./bulk.js";
import { Scroll } from "./boards.js";
import { go } from "./place.js";
import { Due } from "./row.js";
import { named, short, t } from "./text.js";
import { SavedViews } from "./views.js";

const STATES = ["queued", "offered", "open", "pending", "resolved", "closed"];
const SEVERITIES = ["low", "normal", "high", "emergency"];

export function TicketView({ floor, place, keys }) {
  const wanted = queryOf(place);
  const list = useList(floor, wanted);
  const rows = list.rows.map((one) => floor.threads.get(one.conversation_id) ?? one);
  const chosen = useChosen(rows, wanted);
  const open = (id) => go({ view: "inbox", list: "all", c: id });
  keys.current = {
    next: () => chosen.step(1),
    previous: () => chosen.step(-1),
    open: () => Boolean(chosen.at) && (open(chosen.at), true),
    select: () => chosen.toggle(chosen.at),
    select_to: () => chosen.toggle(chosen.at, { isRange: true }),
  };
  return html`<div class="page-body">
    <${SavedViews} floor=${floor} place=${place} />
    <${Filters} floor=${floor} place=${place} onAgain=${list.reading.again} />
    <${Bulk} floor=${floor} chosen=${chosen} rows=${rows} />
    <${Reading} reading=${list.reading} isEmpty=${(page) => !page.data.length} empty=${t("no_tickets")}>
      ${() => html`<div class="card board tickets"><${Scroll}><table><thead><tr>
        <th scope="col" class="tick"><input type="checkbox" aria-label=${t("select_all")} checked=${rows.length > 0 && chosen.ids.size === rows.length}
          onChange=${({ target }) => chosen.all(target.checked)} /></th>
        <th scope="col">${t("number")}</th><th scope="col">${t("customer")}</th><th scope="col">${t("about")}</th><th scope="col">${t("severity")}</th>
        <th scope="col">${t("state")}</th><th scope="col">${t("assignee")}</th><th scope="col">${t("promise")}</th><th scope="col">${t("opened")}</th></tr></thead>
        <tbody>${rows.map((one) => html`<${Ticket} key=${one.conversation_id} floor=${floor} thread=${one} chosen=${chosen} onOpen=${open} />`)}</tbody></table><//></div>
        ${list.hasMore && html`<button class="button more" onClick=${() => void list.readMore()}>${t("more")}</button>`}`}
    <//>
  </div>`;
}

function Filters({ floor, place, onAgain }) {
  const { kind = "ticket", state = "", severity = "", queue = "", who = "" } = place;
  const pick = (name) => ({ target }) => go({ [name]: target.value || null }, { replace: true });
  const pickKind = ({ target }) => go({ kind: target.value === "ticket" ? null : target.value }, { replace: true });
  return html`<form class="filters" aria-label=${t("filters")} onSubmit=${(event) => event.preventDefault()}>
    <label>${t("kind")} <select value=${kind} onChange=${pickKind}>
      ${["ticket", "chat", "both"].map((one) => html`<option key=${one} value=${one}>${t(`kind_${one}`)}</option>`)}</select></label>
    <label>${t("state")} <select value=${state} onChange=${pick("state")}><option value="">${t("any")}</option>
      ${STATES.map((one) => html`<option key=${one} value=${one}>${named("thread", one)}</option>`)}</select></label>
    <label>${t("severity")} <select value=${severity} onChange=${pick("severity")}><option value="">${t("any")}</option>
      ${SEVERITIES.map((one) => html`<option key=${one} value=${one}>${named("severity", one)}</option>`)}</select></label>
    <label>${t("queue")} <select value=${queue} onChange=${pick("queue")}><option value="">${t("any")}</option>
      ${[...floor.queues.values()].map((one) => html`<option key=${one.queue_id} value=${one.queue_id}>${one.name}</option>`)}</select></label>
    <label>${t("assignee")} <select value=${who} onChange=${pick("who")}><option value="">${t("any")}</option><option value="me">${t("list_mine")}</option></select></label>
    <button type="button" class="button" onClick=${onAgain}>${t("refresh")}</button>
  </form>`;
}

function Ticket({ floor, thread, chosen, onOpen }) {
  const id = thread.conversation_id;
  const due = floor.due(id);
  const name = floor.customer(thread.customer_id) ?? short(thread.customer_id);
  const number = thread.number ?? short(id);
  const isChosen = chosen.ids.has(id);
  const onTick = (event) => chosen.toggle(id, { isRange: event.shiftKey });
  return html`<tr id=${`ticket-${id}`} class=${`${isChosen ? "is-chosen" : ""}${chosen.at === id ? " is-at" : ""}`}>
    <td class="tick"><input type="checkbox" aria-label=${t("select", { number })} checked=${isChosen} onClick=${onTick} /></td>
    <td><button class="plain link-cell" onClick=${() => onOpen(id)}>${number}</button></td>
    <td>${name}</td><td>${named("category", thread.category)}</td><td>${named("severity", thread.severity)}</td>
    <td><span class=${`chip is-${thread.state}`}>${named("thread", thread.state)}</span></td>
    <td>${thread.assignee_id ? (floor.agents.get(thread.assignee_id)?.name ?? short(thread.assignee_id)) : "–"}</td>
    <td>${due ? html`<${Due} due=${due} />` : "–"}</td><td class="num">${formatDay(Date.parse(thread.opened_at))}</td>
  </tr>`;
}

function queryOf({ kind = "ticket", state, severity, queue, who }) {
  const query = new URLSearchParams({ limit: "50" });
  if (kind !== "both") query.set("kind", kind);
  if (state) query.set("state", state);
  if (severity) query.set("severity", severity);
  if (queue) query.set("queue_id", queue);
  if (who) query.set("mine", "true");
  return `${query}`;
}

/** What the query finds, page after page: `{reading, rows, hasMore, readMore}`. */
function useList(floor, wanted) {
  const reading = useReading((signal) => askAsMe("GET", `/v1/desk/threads?${wanted}`, { signal }), [], { key: wanted });
  const [more, setMore] = useState({ of: null, rows: [], cursor: null });
  const first = reading.data;
  const rest = more.of === first ? more : { rows: [], cursor: first?.next_cursor ?? null };
  const learn = (page) => {
    for (const thread of page.data) floor.learnThread(thread);
  };
  useEffect(() => {
    if (first) learn(first);
  }, [first]);
  const readMore = async () => {
    const page = await askAsMe("GET", `/v1/desk/threads?${wanted}&cursor=${rest.cursor}`);
    learn(page);
    setMore({ of: first, rows: [...rest.rows, ...page.data], cursor: page.next_cursor });
  };
  return { reading, rows: [...(first?.data ?? []), ...rest.rows], hasMore: Boolean(rest.cursor), readMore };
}

/** Which rows are selected, and the one the keys are at. A range goes from the row that was toggled last. */
function useChosen(rows, wanted) {
  const [ids, setIds] = useState(new Set());
  const [at, setAt] = useState(null);
  const anchor = useRef(null);
  const order = rows.map(({ conversation_id }) => conversation_id);
  useEffect(() => {
    setIds(new Set());
    setAt(null);
    anchor.current = null;
  }, [wanted]);
  const step = (by) => {
    const next = order[Math.max(0, Math.min(order.length - 1, order.indexOf(at) + by))];
    if (!next) return false;
    setAt(next);
    document.getElementById(`ticket-${next}`)?.scrollIntoView({ block: "nearest" });
    return true;
  };
  const toggle = (id, { isRange = false } = {}) => {
    if (!order.includes(id)) return false;
    const next = new Set(ids);
    const [from, to] = [order.indexOf(anchor.current), order.indexOf(id)].sort((a, b) => a - b);
    if (isRange && from >= 0) for (const one of order.slice(from, to + 1)) next.add(one);
    else if (!next.delete(id)) next.add(id);
    anchor.current = id;
    setIds(next);
    setAt(id);
    return true;
  };
  // What has left the list is selected no longer.
  const shown = new Set(order.filter((id) => ids.has(id)));
  return { ids: shown, at: order.includes(at) ? at : null, step, toggle, set: (some) => setIds(new Set(some)), all: (isOn) => setIds(new Set(isOn ? order : [])) };
}
