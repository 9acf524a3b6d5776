// One row of a list: who, what about, the last word, and what time says about it.

import { serverNow } from "../core/clock.js";
import { html } from "../core/ui.js";
import { gistOf, hourOf, dayOf, momentOf } from "../chat/text.js";
import { clockOf, named, short, t, waitOf } from "./text.js";

/** The face of a customer: the first letter of the name on a colour of its own. */
export function Face({ id, name }) {
  let sum = 0;
  for (const letter of id ?? "") sum = (sum * 33 + letter.charCodeAt(0)) % 65_521;
  return html`<span class=${`face hue-${sum % 8}`} aria-hidden="true">${[...(name || "·")][0]}</span>`;
}

export function Row({ floor, thread, isOpen, tabindex, onOpen }) {
  const id = thread.conversation_id;
  const row = floor.talks.row(id);
  const name = floor.customer(thread.customer_id) ?? short(thread.customer_id);
  const unread = floor.unread(thread);
  const at = floor.lastAt(thread);
  const mine = row?.last && row.last.sender_id === floor.me;
  const seen = floor.talks.who("viewing", id);
  return html`<li id=${`row-${id}`} role="option" aria-selected=${isOpen} tabindex=${tabindex} data-id=${id}
    class=${`row${isOpen ? " is-open" : ""}${unread ? " is-unread" : ""}`} onClick=${onOpen}>
    <${Face} id=${thread.customer_id} name=${name} />
    <div class="row-head">
      <b>${name}</b>
      <span class="row-about">${named("category", thread.category)}</span>
      <time title=${momentOf(at)}>${timeOf(at)}</time>
    </div>
    <div class="row-gist">
      <span>${mine ? t("me_said", { text: gistOf(row.last) }) : gistOf(row?.last) || t("nothing_said")}</span>
      ${unread > 0 && html`<b class="count-badge" aria-label=${t("unread_count", { count: unread })}>${unread >= 100 ? "99+" : unread}</b>`}
    </div>
    <div class="row-signs">
      ${signs(floor, thread, seen)}
    </div>
  </li>`;
}

function signs(floor, thread, seen) {
  const id = thread.conversation_id;
  const parts = [];
  const add = (kind, text, title) => parts.push(html`<span key=${kind + text} class=${`chip is-${kind}`} title=${title}>${text}</span>`);
  if (thread.severity === "high" || thread.severity === "emergency") add(thread.severity, named("severity", thread.severity));
  if (thread.number) add("ticket", thread.number);
  if (thread.state === "queued" || thread.state === "offered") {
    const waited = (serverNow() - Date.parse(thread.queued_at)) / 1000;
    add("wait", t("waited", { age: waitOf(waited) }), momentOf(Date.parse(thread.queued_at)));
  }
  if (thread.state === "offered") add("offered", t("offered_to", { name: floor.agents.get(thread.assignee_id)?.name ?? "–" }));
  const due = floor.due(id);
  if (due) parts.push(html`<${Due} key="due" due=${due} />`);
  if (thread.assignee_id && thread.assignee_id !== floor.me && thread.state !== "offered") {
    add("who", floor.agents.get(thread.assignee_id)?.name ?? short(thread.assignee_id));
  }
  if (thread.snoozed_until) add("snoozed", t("snoozed_until", { at: timeOf(Date.parse(thread.snoozed_until)) }), momentOf(Date.parse(thread.snoozed_until)));
  if (thread.state === "pending") add("pending", t("state_of_pending"));
  if (floor.undo.has(`resolve:${id}`)) add("ending", t("ending"));
  if (seen.length) {
    const names = seen.map(({ account_id }) => floor.agents.get(account_id)?.name ?? t("colleague")).join("、");
    add("seen", t("seen_by", { names }));
  }
  return parts;
}

/** Time left of a promise, in words and colour: a colour alone says nothing to some. */
export function Due({ due }) {
  const level = due.isBroken ? "broken" : due.warned >= 80 || due.left_ms < 120_000 ? "late" : due.warned >= 50 ? "soon" : "calm";
  const clock = clockOf(Math.abs(due.left_ms));
  const what = named("promise", due.kind);
  return html`<span class=${`chip due is-${level}`} title=${momentOf(Date.parse(due.due_at))}>
    ${t(due.isBroken ? "overdue" : "due_in", { what, clock })}
  </span>`;
}

export function timeOf(ms) {
  const now = serverNow();
  const isToday = new Date(ms).toDateString() === new Date(now).toDateString();
  return isToday ? hourOf(ms) : dayOf(ms, now);
}
