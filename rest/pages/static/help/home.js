// Home: ask, call for help, and what has been talked about.

import { serverNow } from "../core/clock.js";
import { Problem } from "../core/api.js";
import { html, useEffect, useState } from "../core/ui.js";
import { Empty } from "../chat/states.js";
import { dayOf, gistOf, hourOf, momentOf, reasonOf } from "../chat/text.js";
import { Announcements, Guide } from "./guide.js";
import { itemOf } from "./orders.js";
import { go } from "./place.js";
import { chipOf } from "./standing.js";
import { named, t } from "./text.js";
import { Urgent } from "./urgent.js";

let left = null; // the row one came from, to be focused when one is back

export function Home({ support, open }) {
  useEffect(() => {
    if (open) left = open;
    else if (left) document.getElementById(`row-${left}`)?.focus({ preventScroll: true });
  }, [open]);
  return html`<div class="home">
    <section class="hello">
      <h2>${t("hello")}</h2>
      <p class="muted">${t("hello_lead")}</p>
      <button class="primary big" onClick=${() => go({ ask: "new" })}>${t("ask")}</button>
      <button class="button wide" onClick=${() => go({ say: "new" })}>${t("say")}</button>
    </section>
    <${Urgent} support=${support} />
    <${Announcements} />
    <${Guide} />
    <${Talks} support=${support} open=${open} />
  </div>`;
}

function Talks({ support, open }) {
  const [fault, setFault] = useState(null);
  const rows = support.list();
  const more = () => {
    setFault(null);
    support.more().catch((problem) => {
      if (!(problem instanceof Problem)) throw problem;
      setFault(reasonOf(problem));
    });
  };
  return html`<section class="mine" aria-labelledby="mine-title">
    <h2 id="mine-title">${t("mine")}</h2>
    ${
      rows.length === 0
        ? html`<${Empty} text=${t("mine_none")} />`
        : html`<ul class="help-rows">${rows.map((row) => html`<${Row} key=${row.id} support=${support} row=${row} isOpen=${row.id === open} />`)}</ul>`
    }
    <p class="fault" role="alert">${fault}</p>
    ${support.next && html`<button class="button wide" onClick=${more}>${t("more")}</button>`}
  </section>`;
}

function Row({ support, row, isOpen }) {
  const standing = support.standings.get(row.id);
  const chip = chipOf(row, standing, support.ratings.get(row.id));
  const at = Date.parse(row.last_at);
  const isMine = row.last?.sender_id === support.me;
  const gist = gistOf(row.last);
  const follow = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go({ c: row.id });
  };
  return html`<li>
    <a id=${`row-${row.id}`} class=${`help-row${row.unread ? " is-unread" : ""}`} href=${`?c=${row.id}`}
      aria-current=${isOpen ? "true" : undefined} onClick=${follow}>
      <span class="help-row-head"><b>${titleOf(support, row, standing)}</b><time title=${momentOf(at)}>${timeOf(at)}</time></span>
      <span class="help-row-gist"><span>${gist ? (isMine ? t("me_said", { text: gist }) : gist) : t("nothing_said")}</span>
        ${row.unread > 0 && html`<b class="count-badge" aria-label=${t("unread", { count: row.unread })}>${row.unread >= 100 ? "99+" : row.unread}</b>`}</span>
      <span class="help-row-signs"><span class=${`chip is-${chip.tone}`}>${chip.text}</span>
        ${standing?.number && html`<small>${standing.number}</small>`}</span>
    </a>
  </li>`;
}

/** What it is about: the order by its item, else the topic. */
export function titleOf(support, row, standing) {
  const order = support.orderOf(row);
  if (order) return itemOf(order);
  if (standing) return named("topic", standing.category);
  return t(row.subject_kind === "order" ? "topic_order" : "talk");
}

function timeOf(ms) {
  const now = serverNow();
  return new Date(ms).toDateString() === new Date(now).toDateString() ? hourOf(ms) : dayOf(ms, now);
}
