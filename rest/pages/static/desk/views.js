// Saved views of tickets: one's own and the desk's. A view is a filter, and the filter is in the address.

import { askAsMe } from "../core/session.js";
import { html, useState } from "../core/ui.js";
import { useReading } from "../chat/states.js";
import { AskForm, Dialog, Field } from "./dialog.js";
import { go } from "./place.js";
import { t } from "./text.js";

const WORDS = ["kind", "state", "severity", "queue", "who"];
const NAME_MAX = 40;

export function SavedViews({ floor, place }) {
  const [isSaving, setSaving] = useState(false);
  const reading = useReading((signal) => askAsMe("GET", "/v1/desk/views?limit=100", { signal }));
  const views = reading.data?.data ?? []; // unread, the list works without them
  const drop = async (view) => {
    await askAsMe("DELETE", `/v1/desk/views/${view.id}`).catch(() => null); // gone already, or still there to be seen
    reading.again();
  };
  return html`<div class="views" role="group" aria-label=${t("saved_views")}>
    ${views.map(
      (view) => html`<span key=${view.id} class="saved">
        <button class="button" aria-pressed=${isSame(view.filter, place)} onClick=${() => go(filterOf(view.filter))}>${view.name}${view.is_shared && html` <small>${t("shared")}</small>`}</button>
        ${view.may_drop && html`<button class="plain" aria-label=${t("drop_view", { name: view.name })} onClick=${() => void drop(view)}>✕</button>`}</span>`,
    )}
    <button class="plain" onClick=${() => setSaving(true)}>${t("save_view")}</button>
    ${isSaving && html`<${SaveDialog} floor=${floor} place=${place} onClose=${() => setSaving(false)} onDone=${reading.again} />`}
  </div>`;
}

function SaveDialog({ floor, place, onClose, onDone }) {
  const [name, setName] = useState("");
  const [isShared, setShared] = useState(false);
  const filter = Object.fromEntries(WORDS.filter((word) => place[word]).map((word) => [word, place[word]]));
  const submit = () => floor.post("/v1/desk/views", { name: name.trim(), filter, is_shared: isShared });
  return html`<${Dialog} title=${t("save_view")} onClose=${onClose}>
    <${AskForm} action=${t("save")} isReady=${Boolean(name.trim())} onSubmit=${submit} onDone=${() => (onClose(), onDone())}>
      <${Field} label=${t("view_name")}><input type="text" autofocus maxlength=${NAME_MAX} value=${name} onInput=${({ target }) => setName(target.value)} /><//>
      ${floor.isSupervisor && html`<label class="check"><input type="checkbox" checked=${isShared} onChange=${({ target }) => setShared(target.checked)} /> ${t("share_view")}</label>`}
    <//>
  <//>`;
}

/** The whole filter, with what the view does not name taken away. */
function filterOf(filter) {
  return Object.fromEntries(WORDS.map((word) => [word, filter[word] ?? null]));
}

function isSame(filter, place) {
  return WORDS.every((word) => (filter[word] ?? "") === (place[word] ?? ""));
}
