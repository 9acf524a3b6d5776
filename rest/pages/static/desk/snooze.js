// Put a conversation aside until a time. The customer's promises run on; who owes an answer is told so.

import { serverNow } from "../core/clock.js";
import { html, useState } from "../core/ui.js";
import { AskForm, Dialog, Field } from "./dialog.js";
import { t } from "./text.js";

const EVENING_H = 18;

export function SnoozeDialog({ floor, thread, onClose, onDone }) {
  const id = thread.conversation_id;
  const zone = floor.queues.get(thread.queue_id)?.zone;
  const [later, setLater] = useState("hour");
  const [at, setAt] = useState("");
  const words = [...(thread.snoozed_until ? ["now"] : []), "hour", ...(hourIn(zone) < EVENING_H ? ["evening"] : []), "tomorrow", "chosen"];
  const isReady = later !== "chosen" || Date.parse(at) > serverNow();
  const submit = () => {
    if (later === "now") return floor.snooze(id, null);
    return floor.snooze(id, later === "chosen" ? { until: new Date(at).toISOString() } : { later });
  };
  return html`<${Dialog} title=${t("snooze")} onClose=${onClose}>
    <${AskForm} action=${t("snooze")} isReady=${isReady} onSubmit=${submit} onDone=${() => (onClose(), onDone?.())}>
      <p class="muted">${t("snooze_hint")}</p>
      ${thread.state === "open" && html`<p class="note-warn">${t(thread.kind === "chat" ? "snooze_owed_chat" : "snooze_owed")}</p>`}
      <fieldset class="choices" aria-label=${t("snooze")}>
        ${words.map(
          (word) => html`<label key=${word} class=${`choice${later === word ? " is-on" : ""}`}>
            <input type="radio" name="later" value=${word} checked=${later === word} autofocus=${word === "hour"} onChange=${() => setLater(word)} />
            ${t(`later_${word}`)}</label>`,
        )}
      </fieldset>
      ${
        later === "chosen" &&
        html`<${Field} label=${t("snooze_until")}><input type="datetime-local" value=${at} onInput=${({ target }) => setAt(target.value)} /><//>`
      }
    <//>
  <//>`;
}

/** The hour of the day where the desk is. */
function hourIn(timeZone) {
  return Number(new Intl.DateTimeFormat("en", { timeZone, hour: "numeric", hourCycle: "h23" }).format(serverNow()));
}
