// Steps that can still be taken back, and steps that were refused after all.

import { html } from "../core/ui.js";
import { reasonOf } from "../chat/text.js";
import { t } from "./text.js";

export function Toasts({ floor }) {
  const { undo } = floor;
  return html`<div class="toasts" role="status">
    ${[...undo.steps.values()].map(
      (step) => html`<div key=${step.key} class="toast">
        <span>${step.text}</span>
        <button class="plain" onClick=${() => undo.forget(step.key)}>${t("undo", { seconds: Math.max(1, Math.ceil((step.at - Date.now()) / 1000)) })}</button>
        <button class="plain" onClick=${() => undo.now(step.key)}>${t("do_now")}</button>
      </div>`,
    )}
    ${[...undo.faults.values()].map(
      (fault) => html`<div key=${fault.key} class="toast is-fault" role="alert">
        <span>${t("refused", { what: fault.text, reason: reasonOf(fault.problem) })}</span>
        <button class="plain" onClick=${() => undo.forget(fault.key)}>${t("close")}</button>
      </div>`,
    )}
  </div>`;
}
