// A dialog: over the page, closed by Escape, focus goes in and comes back by itself.

import { Problem } from "../core/api.js";
import { html, useEffect, useRef, useState } from "../core/ui.js";
import { reasonOf } from "../chat/text.js";
import { t } from "./text.js";

export function Dialog({ title, onClose, children, kind = "" }) {
  const dialog = useRef(null);
  useEffect(() => {
    const back = document.activeElement;
    dialog.current.showModal();
    return () => back?.focus?.();
  }, []);
  return html`<dialog ref=${dialog} class=${`sheet ${kind}`} aria-label=${title} onClose=${onClose}
    onMouseDown=${(event) => event.target === dialog.current && dialog.current.close()}>
    <div class="sheet-body">
      <header><h2>${title}</h2>
        <button class="tiny" aria-label=${t("close")} onClick=${() => dialog.current.close()}>✕</button></header>
      ${children}
    </div>
  </dialog>`;
}

/** A form that asks something of the server: busy while it does, the refusal beside its button. */
export function AskForm({ onSubmit, onDone, action, children, isReady = true, kind = "primary" }) {
  const [isBusy, setBusy] = useState(false);
  const [fault, setFault] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    if (isBusy || !isReady) return;
    setBusy(true);
    setFault(null);
    try {
      await onSubmit();
      onDone?.();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setFault(reasonOf(problem));
      setBusy(false);
    }
  };
  return html`<form class="form" onSubmit=${submit} noValidate>
    ${children}
    <p class="fault" role="alert">${fault}</p>
    <div class="form-end"><button class=${kind} type="submit" disabled=${isBusy || !isReady}>${action}</button></div>
  </form>`;
}

export function Field({ label, hint, children }) {
  return html`<label class="field"><span>${label}</span>${children}${hint && html`<small>${hint}</small>`}</label>`;
}
