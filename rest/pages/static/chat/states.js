// The four states every view has beside its content: reading, failed, not allowed, nothing there.

import { Problem } from "../core/api.js";
import { html, useEffect, useRef, useState } from "../core/ui.js";
import { reasonOf, t } from "./text.js";

/**
 * Reads with `task(signal)` now and whenever `on` changes: `{status, data, problem, again}`. What was read stays while
 * it is read anew, so that a view never flickers; another `key` is another thing and begins empty.
 */
export function useReading(task, on = [], { key = null } = {}) {
  const [state, setState] = useState({ status: "loading", data: null, problem: null, key });
  const [turn, setTurn] = useState(0);
  const latest = useRef(task);
  latest.current = task;
  useEffect(() => {
    const stopping = new AbortController();
    setState((last) => (last.key === key && last.data ? last : { status: "loading", data: null, problem: null, key }));
    latest.current(stopping.signal).then(
      (data) => !stopping.signal.aborted && setState({ status: "ready", data, problem: null, key }),
      (problem) => {
        if (stopping.signal.aborted) return;
        if (!(problem instanceof Problem)) throw problem;
        const status = problem.status === 403 ? "denied" : "failed";
        setState((last) => ({ status: last.data && status === "failed" ? last.status : status, data: last.data, problem, key }));
      },
    );
    return () => stopping.abort();
  }, [...on, key, turn]);
  const shown = state.key === key ? state : { status: "loading", data: null, problem: null };
  return { ...shown, again: () => setTurn((last) => last + 1) };
}

/** The content when it is there, or what there is instead. `empty`: words for nothing; `isEmpty(data)` decides. */
export function Reading({ reading, isEmpty = () => false, empty = null, children }) {
  if (reading.status === "loading") return html`<${Bones} />`;
  if (reading.status === "denied") return html`<${Denied} />`;
  if (reading.status === "failed") return html`<${Fault} problem=${reading.problem} onAgain=${reading.again} />`;
  if (isEmpty(reading.data)) return html`<${Empty} text=${empty} />`;
  return children(reading.data);
}

export function Bones() {
  return html`<div class="bones" role="status" aria-label=${t("loading")}><i></i><i></i><i></i></div>`;
}

export function Fault({ problem, onAgain }) {
  return html`<div class="state" role="alert">
    <p class="fault">${t("fault", { reason: reasonOf(problem) })}</p>
    <button class="button" onClick=${onAgain}>${t("again")}</button>
  </div>`;
}

export function Denied() {
  return html`<div class="state" role="alert"><h2>${t("denied_title")}</h2><p class="muted">${t("denied")}</p></div>`;
}

export function Empty({ text, children }) {
  return html`<div class="state"><p class="muted">${text}</p>${children}</div>`;
}
