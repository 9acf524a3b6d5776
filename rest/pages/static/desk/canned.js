// Quick replies: `/` opens them, letters narrow them down, Enter puts one into the answer with its blanks filled in.

import { Problem } from "../core/api.js";
import { askAsMe } from "../core/session.js";
import { html, useState } from "../core/ui.js";
import { reasonOf } from "../chat/text.js";
import { t } from "./text.js";

const SHOWN = 8;

let kept = null; // the replies, read once a page

/** `{isOpen, found, at, problem, open, toggle, pick, onKey}` of the composer with this draft. */
export function useCanned(floor, id, drafts, field) {
  const [isOpen, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const [, setTurn] = useState(0);
  const [problem, setProblem] = useState(null);
  const read = async () => {
    setProblem(null);
    try {
      kept ??= (await askAsMe("GET", "/v1/desk/quick_replies?limit=100")).data;
    } catch (fault) {
      if (!(fault instanceof Problem)) throw fault;
      setProblem(fault);
    }
    setTurn((turn) => turn + 1);
  };
  const found = foundBy(drafts.of(id).text);
  const open = () => {
    setOpen(true);
    setAt(0);
    if (!kept) void read();
    return true;
  };
  const pick = async (reply) => {
    setOpen(false);
    try {
      // The server knows the names; what nobody knows stays as it is written, for the agent to see.
      const filled = await askAsMe("GET", `/v1/desk/threads/${id}/quick_replies/${reply.id}`);
      const before = /^\/\S*$/.test(drafts.of(id).text) ? "" : drafts.of(id).text;
      drafts.change(id, { text: before + filled.text });
    } catch (fault) {
      if (!(fault instanceof Problem)) throw fault;
      setProblem(fault);
      setOpen(true);
    }
    field.current?.focus();
  };
  const onKey = (event) => {
    if (!isOpen && event.key === "/" && !drafts.of(id).text) {
      open();
      return false; // the stroke is written, and narrows nothing down yet
    }
    if (!isOpen) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const now = foundBy(drafts.of(id).text); // what is drawn may be a frame older than what is written
    if (step) setAt((at + step + now.length) % Math.max(now.length, 1));
    else if (event.key === "Enter" && now.length) void pick(now[Math.min(at, now.length - 1)]);
    else if (event.key === "Escape") {
      setOpen(false);
      event.stopPropagation();
    } else return false;
    event.preventDefault();
    return true;
  };
  return { isOpen, found, at, problem, open, toggle: () => (isOpen ? setOpen(false) : open()), pick, onKey, again: read, isRead: kept !== null };
}

/** The replies that what is written so far narrows down to. */
function foundBy(text) {
  const wanted = /^\/\S*$/.test(text) ? text.slice(1).toLowerCase() : "";
  const fits = ({ shortcut, folder, body }) => `${shortcut} ${folder} ${body}`.toLowerCase().includes(wanted);
  return (kept ?? []).filter(fits).slice(0, SHOWN);
}

export function Canned({ canned }) {
  const { found, at, problem } = canned;
  if (problem) {
    return html`<div class="canned"><p class="fault">${reasonOf(problem)}</p><button class="plain" onClick=${canned.again}>${t("again")}</button></div>`;
  }
  if (!canned.isRead) return html`<div class="canned"><p class="muted">${t("reading")}</p></div>`;
  if (!found.length) return html`<div class="canned"><p class="muted">${t("canned_none")}</p></div>`;
  return html`<ul class="canned" role="listbox" aria-label=${t("canned")}>
    ${found.map(
      (reply, n) => html`<li key=${reply.id} role="option" aria-selected=${n === at} class=${n === at ? "is-at" : ""}
        onMouseDown=${(event) => (event.preventDefault(), void canned.pick(reply))}>
        <code>/${reply.shortcut}</code><span>${reply.body}</span><small>${reply.folder}</small></li>`,
    )}
  </ul>`;
}
