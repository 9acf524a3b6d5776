// What is done to a thread as a whole, each with its dialog: hand it on, end it, look at it another way, take it over.

import { html, useState } from "../core/ui.js";
import { chats } from "./bar.js";
import { AskForm, Dialog, Field } from "./dialog.js";
import { named, t } from "./text.js";

const NOTE_MAX = 500;

/** To an agent or to a line, with a word for whoever comes next. */
export function TransferDialog({ floor, thread, onClose, onDone }) {
  const [to, setTo] = useState("");
  const [note, setNote] = useState("");
  const [override, setOverride] = useState(false);
  const [kind, value] = to.split(":");
  const others = [...floor.agents.values()].filter((one) => one.id !== floor.me && one.id !== thread.assignee_id);
  const order = (one) => (one.is_present && one.state === "online" ? 0 : 1);
  others.sort((a, b) => order(a) - order(b) || a.name.localeCompare(b.name, "zh"));
  const queues = [...floor.queues.values()].filter((queue) => queue.is_active);
  const submit = () => {
    const body = { note: note.trim(), [kind === "agent" ? "agent_id" : "queue_id"]: value };
    if (kind === "agent" && override) body.override = true;
    const id = thread.conversation_id;
    const who = kind === "agent" ? floor.agents.get(value)?.name : floor.queues.get(value)?.name;
    floor.undo.plan(`transfer:${id}`, t("doing_transfer", { name: who }), () => floor.act(id, "transfer", body));
    return Promise.resolve();
  };
  return html`<${Dialog} title=${t("transfer")} onClose=${onClose}>
    <${AskForm} action=${t("transfer")} isReady=${Boolean(to && note.trim())} onSubmit=${submit} onDone=${() => (onClose(), onDone?.())}>
      <${Field} label=${t("transfer_to")}>
        <select value=${to} autofocus onChange=${({ target }) => setTo(target.value)}>
          <option value="">${t("choose")}</option>
          <optgroup label=${t("agents")}>
            ${others.map(
              (one) => html`<option key=${one.id} value=${`agent:${one.id}`}>
                ${one.name} · ${one.is_present ? named("state", one.state) : t("not_here")} · ${t("capacity_of", { used: chats(one.load), cap: chats(one.cap) })}
              </option>`,
            )}
          </optgroup>
          <optgroup label=${t("queues")}>
            ${queues.map((queue) => html`<option key=${queue.queue_id} value=${`queue:${queue.queue_id}`}>${queue.name} · ${t("waiting_count", { count: queue.waiting })}</option>`)}
          </optgroup>
        </select>
      <//>
      <${Field} label=${t("transfer_note")} hint=${t("note_hint")}>
        <textarea rows="3" maxlength=${NOTE_MAX} value=${note} onInput=${({ target }) => setNote(target.value)}></textarea>
      <//>
      ${
        floor.isSupervisor &&
        kind === "agent" &&
        html`<label class="check"><input type="checkbox" checked=${override} onChange=${({ target }) => setOverride(target.checked)} /> ${t("override")}</label>`
      }
    <//>
  <//>`;
}

/** It is answered: a ticket with a text, a chat with one if there is something to say. */
export function ResolveDialog({ floor, thread, onClose, onDone }) {
  const [text, setText] = useState("");
  const isTicket = thread.kind === "ticket";
  const submit = () => {
    const id = thread.conversation_id;
    const body = text.trim() ? { resolution: text.trim() } : {};
    floor.undo.plan(`resolve:${id}`, t("doing_resolve", { name: floor.customer(thread.customer_id) ?? "" }), () =>
      floor.act(id, "resolve", body),
    );
    return Promise.resolve();
  };
  return html`<${Dialog} title=${t("resolve")} onClose=${onClose}>
    <${AskForm} action=${t("resolve")} isReady=${!isTicket || Boolean(text.trim())} onSubmit=${submit} onDone=${() => (onClose(), onDone?.())}>
      <p class="muted">${t(isTicket ? "resolve_ticket" : "resolve_chat")}</p>
      <${Field} label=${t("resolution")}>
        <textarea rows="3" autofocus maxlength=${NOTE_MAX} value=${text} onInput=${({ target }) => setText(target.value)}></textarea>
      <//>
    <//>
  <//>`;
}

export function TakeDialog({ floor, thread, onClose }) {
  const [note, setNote] = useState("");
  const holder = floor.agents.get(thread.assignee_id)?.name;
  return html`<${Dialog} title=${t("take")} onClose=${onClose}>
    <${AskForm} action=${t("take")} isReady=${Boolean(note.trim())} onDone=${onClose}
      onSubmit=${() => floor.act(thread.conversation_id, "take_over", { note: note.trim() })}>
      <p class="muted">${holder ? t("take_from", { name: holder }) : t("take_waiting")}</p>
      <${Field} label=${t("take_note")}>
        <textarea rows="3" autofocus maxlength=${NOTE_MAX} value=${note} onInput=${({ target }) => setNote(target.value)}></textarea>
      <//>
    <//>
  <//>`;
}

export function ConvertDialog({ floor, thread, onClose }) {
  const kind = thread.kind === "chat" ? "ticket" : "chat";
  return html`<${Dialog} title=${t(`to_${kind}`)} onClose=${onClose}>
    <${AskForm} action=${t(`to_${kind}`)} onDone=${onClose} onSubmit=${() => floor.act(thread.conversation_id, "convert", { kind })}>
      <p class="muted">${t(`to_${kind}_hint`)}</p>
    <//>
  <//>`;
}
