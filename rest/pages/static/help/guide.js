// What is answered already: announcements, and help documents with a search over both languages.

import { ask } from "../core/api.js";
import { askAsMe } from "../core/session.js";
import { html, useEffect, useState } from "../core/ui.js";
import { own } from "../core/words.js";
import { Fault, useReading } from "../chat/states.js";
import { t } from "./text.js";

const SHOWN_MAX = 20;
const PAUSE_MS = 250; // in typing, before a search is made

export function Announcements() {
  const reading = useReading((signal) => askAsMe("GET", "/v1/announcements?limit=5", { signal }));
  const found = reading.data?.data ?? [];
  if (found.length === 0) return null; // nobody misses what is not announced
  return html`<section class="news" aria-label=${t("news")}>
    ${found.map((one) => html`<article key=${one.id}><h2>${own(one.title)}</h2><${Paragraphs} text=${own(one.body)} /></article>`)}
  </section>`;
}

export function Guide() {
  const [typed, setTyped] = useState("");
  const [search, setSearch] = useState("");
  useEffect(() => {
    const waiting = setTimeout(() => setSearch(typed.trim()), PAUSE_MS);
    return () => clearTimeout(waiting);
  }, [typed]);
  const query = new URLSearchParams({ limit: SHOWN_MAX, ...(search && { search }) });
  const reading = useReading((signal) => ask("GET", `/v1/help_documents?${query}`, { signal }), [search]);
  const found = reading.data?.data ?? [];
  if (found.length === 0 && !typed && !search && reading.status !== "failed") return null; // nothing is written yet
  return html`<section class="guide" aria-labelledby="guide-title">
    <h2 id="guide-title">${t("guide")}</h2>
    <input type="search" aria-label=${t("guide_search")} placeholder=${t("guide_search")} maxlength="100" value=${typed}
      onInput=${(event) => setTyped(event.target.value)} />
    ${reading.status === "failed" && html`<${Fault} problem=${reading.problem} onAgain=${reading.again} />`}
    <div role="status">${reading.status === "ready" && found.length === 0 && html`<p class="muted">${t("guide_none")}</p>`}</div>
    ${found.map(
      (one) => html`<details key=${one.id}><summary>${own(one.title)}</summary><${Paragraphs} text=${own(one.body)} /></details>`,
    )}
  </section>`;
}

function Paragraphs({ text }) {
  return text.split(/\n\s*\n/).map((part, place) => html`<p key=${place}>${part}</p>`);
}
