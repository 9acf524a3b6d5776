// Everything by name: conversations by customer or ticket, messages by their words, views, verbs.

import { Problem } from "../core/api.js";
import { askAsMe } from "../core/session.js";
import { html, useEffect, useState } from "../core/ui.js";
import { isComposing } from "../chat/composer.js";
import { dayOf, gistOf } from "../chat/text.js";
import { shapeMessage } from "../chat/log.js";
import { Dialog } from "./dialog.js";
import { KEYS } from "./keys.js";
import { go, VIEWS } from "./place.js";
import { named, t } from "./text.js";

const SEARCH_MS = 250;
const VERBS = ["reply", "note", "canned", "transfer", "snooze", "resolve", "take", "unread", "alerts", "help"];

export function Palette({ floor, onAct, onClose }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const said = useSaid(text.trim());
  const wanted = text.trim().toLowerCase();
  const found = [...threads(floor, wanted), ...verbs(wanted), ...views(wanted), ...said.map((message) => ofMessage(floor, message))];
  const choose = (one) => {
    onClose();
    if (one.go) go(one.go);
    else requestAnimationFrame(() => onAct(one.act));
  };
  const onKeyDown = (event) => {
    if (isComposing(event)) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setAt((at + step + found.length) % Math.max(1, found.length));
    else if (event.key === "Enter" && found[at]) choose(found[at]);
    else return;
    event.preventDefault();
  };
  return html`<${Dialog} title=${t("palette")} kind="palette" onClose=${onClose}>
    <input type="search" autofocus placeholder=${t("palette_hint")} aria-label=${t("palette_hint")} value=${text}
      role="combobox" aria-expanded="true" aria-controls="palette-list" aria-activedescendant=${found[at] ? `palette-${at}` : undefined}
      onInput=${({ target }) => (setText(target.value), setAt(0))} onKeyDown=${onKeyDown} />
    <ul id="palette-list" role="listbox" aria-label=${t("palette")}>
      ${found.map(
        (one, n) => html`<li key=${one.key} id=${`palette-${n}`} role="option" aria-selected=${n === at} class=${n === at ? "is-at" : ""}
          onClick=${() => choose(one)}><span class="kind">${one.kind}</span><span class="what">${one.text}</span>${one.note && html`<small>${one.note}</small>`}</li>`,
      )}
    </ul>
    ${!found.length && html`<p class="muted">${t("palette_none")}</p>`}
  <//>`;
}

function threads(floor, wanted) {
  const all = [...floor.threads.values()].map((thread) => ({ thread, name: floor.customer(thread.customer_id) ?? "" }));
  const fits = ({ thread, name }) => `${name} ${thread.number ?? ""} ${thread.conversation_id}`.toLowerCase().includes(wanted);
  return all
    .filter(fits)
    .slice(0, wanted ? 8 : 5)
    .map(({ thread, name }) => ({
      key: thread.conversation_id,
      kind: t("kind_talk"),
      text: name || thread.conversation_id,
      note: `${thread.number ?? ""} ${named("thread", thread.state)}`.trim(),
      go: { view: "inbox", list: "all", c: thread.conversation_id },
    }));
}

function verbs(wanted) {
  const keys = Object.fromEntries(Object.entries(KEYS).map(([key, name]) => [name, key]));
  const all = VERBS.map((name) => ({ key: name, kind: t("kind_verb"), text: t(`key_${name}`), note: keys[name], act: name }));
  return all.filter(({ text }) => text.toLowerCase().includes(wanted));
}

function views(wanted) {
  const all = VIEWS.map((view) => ({ key: view, kind: t("kind_view"), text: t(`view_${view}`), go: { view } }));
  return all.filter(({ text }) => text.toLowerCase().includes(wanted));
}

function ofMessage(floor, message) {
  return {
    key: `${message.conversation_id}-${message.seq}`,
    kind: t("kind_said"),
    text: gistOf(message),
    note: dayOf(message.at, Date.now()),
    go: { view: "inbox", list: "all", c: message.conversation_id },
  };
}

/** Messages with these words, a moment after one has stopped writing. */
function useSaid(text) {
  const [found, setFound] = useState([]);
  useEffect(() => {
    setFound([]);
    if ([...text].length < 2) return undefined;
    const stopping = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const query = new URLSearchParams({ q: text, limit: "10" });
        const page = await askAsMe("GET", `/v1/conversations/search?${query}`, { signal: stopping.signal });
        setFound(page.data.map(shapeMessage));
      } catch (problem) {
        if (!(problem instanceof Problem) && !stopping.signal.aborted) throw problem;
      }
    }, SEARCH_MS);
    return () => {
      clearTimeout(timer);
      stopping.abort();
    };
  }, [text]);
  return found;
}
