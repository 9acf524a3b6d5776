// The same done to all that are selected. Each is done or refused for itself, and what was refused says why.

import { Problem } from "../core/api.js";
import { html, useState } from "../core/ui.js";
import { reasonOf } from "../chat/text.js";
import { AskForm, Dialog, Field } from "./dialog.js";
import { named, short, t } from "./text.js";

const AT_ONCE = 50; // what the server takes in one request
const NOTE_MAX = 500;
const VERBS = ["assign_me", "assign", "severity", "resolve", "close"];

export function Bulk({ floor, chosen, rows }) {
  const [asked, setAsked] = useState(null); // which dialog is open
  const [told, setTold] = useState(null); // {done, refused: [{number, reason}]}
  const count = chosen.ids.size;
  if (!floor.agent) return null;
  const run = async (body) => {
    const done = await doToAll(floor, [...chosen.ids], body);
    const refused = done.filter((one) => !one.is_done);
    const numberOf = (id) => rows.find((one) => one.conversation_id === id)?.number ?? short(id);
    setTold({
      done: done.length - refused.length,
      refused: refused.map((one) => ({ number: numberOf(one.conversation_id), reason: reasonOf(new Problem(0, one)) })),
    });
    chosen.set(refused.map(({ conversation_id }) => conversation_id));
  };
  return html`<div class="bulk" role="group" aria-label=${t("bulk")}>
    ${
      count > 0 &&
      html`<div class="bulk-bar"><b>${t("selected", { count })}</b>
        ${VERBS.map((verb) => html`<button key=${verb} class="button" onClick=${() => setAsked(verb)}>${t(`bulk_${verb}`)}</button>`)}
        <button class="plain" onClick=${() => chosen.all(false)}>${t("select_none")}</button></div>`
    }
    <div role="status">${told && html`<${Told} told=${told} onClose=${() => setTold(null)} />`}</div>
    ${asked && html`<${BulkDialog} verb=${asked} floor=${floor} count=${count} onRun=${run} onClose=${() => setAsked(null)} />`}
  </div>`;
}

function Told({ told, onClose }) {
  const { done, refused } = told;
  return html`<div class=${`bulk-told${refused.length ? " is-refused" : ""}`}>
    <p><b>${t("bulk_done", { count: done })}</b>${refused.length > 0 && ` · ${t("bulk_refused", { count: refused.length })}`}
      <button class="plain" onClick=${onClose}>${t("close")}</button></p>
    ${refused.length > 0 && html`<ul>${refused.map(({ number, reason }) => html`<li key=${number}><b>${number}</b> ${reason}</li>`)}</ul>`}
  </div>`;
}

/** Fifty at a time, in order. Throws Problem. */
async function doToAll(floor, ids, body) {
  const done = [];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const conversation_ids = ids.slice(at, at + AT_ONCE);
    const answer = await floor.post("/v1/desk/bulk", { conversation_ids, ...body });
    for (const { thread } of answer.data) if (thread) floor.learnThread(thread);
    done.push(...answer.data);
  }
  floor.floorLater();
  return done;
}

function BulkDialog({ verb, floor, count, onRun, onClose }) {
  const [to, setTo] = useState(verb === "assign_me" ? floor.me : "");
  const [text, setText] = useState("");
  const [severity, setSeverity] = useState("high");
  const bodies = {
    assign_me: () => ({ verb: "assign", agent_id: to, note: text.trim() }),
    assign: () => ({ verb: "assign", agent_id: to, note: text.trim() }),
    severity: () => ({ verb, severity }),
    resolve: () => ({ verb, resolution: text.trim() }),
    close: () => ({ verb }),
  };
  const hasText = verb !== "severity" && verb !== "close";
  const isReady = (!hasText || Boolean(text.trim())) && (verb !== "assign" || Boolean(to));
  const agents = [...floor.agents.values()].sort((a, b) => a.name.localeCompare(b.name, "zh"));
  return html`<${Dialog} title=${t(`bulk_${verb}`)} onClose=${onClose}>
    <${AskForm} action=${t("bulk_run", { count })} isReady=${isReady} onSubmit=${() => onRun(bodies[verb]())} onDone=${onClose}>
      <p class="muted">${t(`bulk_${verb}_hint`)}</p>
      ${
        verb === "assign" &&
        html`<${Field} label=${t("assignee")}><select value=${to} autofocus onChange=${({ target }) => setTo(target.value)}>
          <option value="">${t("choose")}</option>
          ${agents.map((one) => html`<option key=${one.id} value=${one.id}>${one.name} · ${one.is_present ? named("state", one.state) : t("not_here")}</option>`)}</select><//>`
      }
      ${
        verb === "severity" &&
        html`<${Field} label=${t("severity")}><select value=${severity} autofocus onChange=${({ target }) => setSeverity(target.value)}>
          ${["low", "normal", "high", "emergency"].map((one) => html`<option key=${one} value=${one}>${named("severity", one)}</option>`)}</select><//>`
      }
      ${
        hasText &&
        html`<${Field} label=${t(verb === "resolve" ? "resolution" : "transfer_note")}>
          <textarea rows="3" autofocus=${verb !== "assign"} maxlength=${NOTE_MAX} value=${text} onInput=${({ target }) => setText(target.value)}></textarea><//>`
      }
    <//>
  <//>`;
}
