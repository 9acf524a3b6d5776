// A question before a step: over the page, closed by Escape; focus goes in and comes back.

import { Problem } from "../core/api.js";
import { html, useEffect, useRef, useState } from "../core/ui.js";
import { reasonOf } from "../chat/text.js";
import { t } from "./text.js";

/** `onYes()` may refuse with a Problem, which is shown; `action` names the step, `kind` is `primary` or `danger`. */
export function Confirm({ title, lead, action, kind = "primary", onYes, onClose, children }) {
  const dialog = useRef(null);
  const [isBusy, setBusy] = useState(false);
  const [fault, setFault] = useState(null);
  useEffect(() => {
    const last = document.activeElement;
    dialog.current.showModal();
    return () => last?.focus?.();
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setFault(null);
    try {
      await onYes();
      onClose();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setFault(reasonOf(problem));
      setBusy(false);
    }
  };
  return html`<dialog ref=${dialog} class="confirm" aria-labelledby="confirm-title" onClose=${onClose}
    onMouseDown=${(event) => event.target === dialog.current && dialog.current.close()}>
    <form onSubmit=${submit}>
      <h2 id="confirm-title">${title}</h2>
      <p class="muted">${lead}</p>
      ${children}
      <p class="fault" role="alert">${fault}</p>
      <div class="confirm-end">
        <button type="button" class="button" onClick=${() => dialog.current.close()}>${t("cancel")}</button>
        <button type="submit" class=${kind} disabled=${isBusy}>${action}</button>
      </div>
    </form>
  </dialog>`;
}
