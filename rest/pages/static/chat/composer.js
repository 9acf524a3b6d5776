// Where messages are written. Enter sends, but never while an input method is composing: there it picks a word.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../core/ui.js";
import { NAME_MAX } from "./outbox.js";
import { gistOf, t } from "./text.js";

export const TEXT_MAX = 4_000;
const COUNT_FROM = 3_500;
const FILE_MAX = 5 * 1024 * 1024; // what the server takes unless it is told otherwise
const PICTURES = new Set(["image/jpeg", "image/png", "image/webp"]);
const DOCUMENT = "application/pdf";

/** Whether this key press belongs to the input method; 229 is what older browsers say instead. */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

/**
 * `draft`: {text, files, mode, quote, editing}; `onDraft(changes)` keeps it. `onSend()`: say what the draft holds.
 * `isStaff`: notes can be written. `onKey(event)`: the page's keys first, true when taken. `tools`: more buttons.
 * `closed`: why nothing can be written. `field`: a ref to the textarea.
 */
export function Composer({ draft, onDraft, onSend, onTyping, onKey, isStaff, isLive, closed, field, tools, nameOf, above }) {
  const own = useRef(null);
  const input = field ?? own;
  const picker = useRef(null);
  const [fault, setFault] = useState(null);
  const [isOver, setOver] = useState(false);
  useGrowing(input, draft.text);
  const length = [...draft.text].length;
  const canSend = isWhole(draft.text, draft.files);
  const isNote = draft.mode === "note";

  const add = (files) => {
    const found = [...files];
    setFault(null);
    if (found.some((file) => !PICTURES.has(file.type) && file.type !== DOCUMENT)) setFault("not_picture");
    else if (isNote && found.some((file) => file.type === DOCUMENT)) setFault("no_document");
    else if (found.some((file) => file.size > FILE_MAX)) setFault("too_big");
    else onDraft({ files: [...draft.files, ...found] });
  };
  const send = () => {
    // What is drawn may be a frame older than what is written.
    if (!isWhole(input.current.value, draft.files)) return;
    onSend();
    input.current.focus();
  };
  const onKeyDown = (event) => {
    if (isComposing(event)) return;
    if (onKey?.(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape" && (draft.quote || draft.editing)) {
      event.stopPropagation();
      onDraft({ quote: null, editing: null, ...(draft.editing ? { text: "" } : {}) });
    }
  };
  const onPaste = (event) => {
    if (!event.clipboardData?.files.length) return;
    event.preventDefault();
    add(event.clipboardData.files);
  };
  const onDrop = (event) => {
    event.preventDefault();
    setOver(false);
    if (event.dataTransfer?.files.length) add(event.dataTransfer.files);
  };
  const onInput = ({ target }) => {
    onDraft({ text: target.value });
    onTyping?.(target.value !== "");
  };
  if (closed && !(isStaff && isNote)) {
    return html`<div class="composer is-closed">
      <p role="status">${closed}</p>
      ${isStaff && html`<button class="button" onClick=${() => onDraft({ mode: "note" })}>${t("note_to")}</button>`}
    </div>`;
  }
  const hint = isStaff ? t(isNote ? "write_note" : "write") : t("write_plain");
  return html`<div class=${`composer${isNote ? " is-note" : ""}${isOver ? " is-over" : ""}`}
    onDragOver=${(event) => (event.preventDefault(), setOver(true))} onDragLeave=${() => setOver(false)} onDrop=${onDrop}>
    ${above}
    ${isStaff && html`<${Modes} draft=${draft} closed=${closed} onDraft=${onDraft} input=${input} />`}
    ${
      (draft.quote || draft.editing) &&
      html`<div class="quoting">
        <div><b>${draft.editing ? t("editing") : t("quoting", { who: nameOf(draft.quote) })}</b>
          <span>${gistOf(draft.editing ?? draft.quote)}</span></div>
        <button class="tiny" aria-label=${t("cancel")}
          onClick=${() => onDraft({ quote: null, editing: null, ...(draft.editing ? { text: "" } : {}) })}>✕</button>
      </div>`
    }
    <${Files} files=${draft.files} onDrop=${(file) => onDraft({ files: draft.files.filter((one) => one !== file) })} />
    <textarea ref=${input} rows="1" aria-label=${hint} placeholder=${isOver ? t("drop_here") : hint} value=${draft.text}
      onInput=${onInput} onKeyDown=${onKeyDown} onPaste=${onPaste} onBlur=${() => onTyping?.(false)}></textarea>
    <p class="fault" role="alert">${fault && t(fault)}</p>
    <div class="composer-tools">
      <button class="tiny" aria-label=${t("attach")} title=${t("attach")} onClick=${() => picker.current.click()}>
        <svg viewBox="0 0 20 20" aria-hidden="true"><path d="M3 5.5A1.5 1.5 0 0 1 4.5 4h11A1.5 1.5 0 0 1 17 5.5v9a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 3 14.5zM3 13l4-4 4 4 2.5-2.5L17 14M13 8h.01" /></svg>
      </button>
      <input ref=${picker} type="file" hidden accept="image/jpeg,image/png,image/webp,application/pdf" multiple
        onChange=${(event) => (add(event.target.files), (event.target.value = ""))} />
      ${tools}
      <${Count} length=${length} />
      <button class="primary send" disabled=${!canSend} onClick=${send}>
        ${draft.editing ? t("save") : isNote ? t("send_note") : t(isLive ? "send" : "send_later")}
      </button>
    </div>
  </div>`;
}

function Modes({ draft, closed, onDraft, input }) {
  const choose = (mode) => {
    onDraft({ mode });
    input.current?.focus();
  };
  return html`<div class="modes" role="group" aria-label=${t("mode")}>
    ${["reply", "note"].map(
      (mode) =>
        html`<button key=${mode} aria-pressed=${draft.mode === mode} disabled=${mode === "reply" && Boolean(closed)}
          onClick=${() => choose(mode)}>${t(mode === "note" ? "note_to" : "reply_to")}</button>`,
    )}
  </div>`;
}

function Count({ length }) {
  const left = TEXT_MAX - length;
  if (length < COUNT_FROM) return html`<span class="count"></span>`;
  return html`<span class=${`count${left < 0 ? " is-over" : ""}`} role="status">
    ${left < 0 ? t("count_over", { count: -left }) : t("count_left", { count: left })}
  </span>`;
}

function Files({ files, onDrop }) {
  if (!files.length) return null;
  return html`<ul class="files" aria-label=${t("attached")}>
    ${files.map((file) => html`<${FileChip} key=${file} file=${file} onDrop=${() => onDrop(file)} />`)}
  </ul>`;
}

function FileChip({ file, onDrop }) {
  const [url, setUrl] = useState(null);
  useEffect(() => {
    if (!PICTURES.has(file.type)) return undefined;
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return html`<li>${url ? html`<img src=${url} alt=${file.name} />` : html`<span class="name">${file.name}</span>`}
    <button class="tiny" aria-label=${`${t("drop")} ${file.name}`} onClick=${onDrop}>✕</button></li>`;
}

/** The field is as high as its text, up to a third of the window. */
function useGrowing(input, text) {
  useLayoutEffect(() => {
    const field = input.current;
    if (!field) return;
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight + 2, window.innerHeight / 3)}px`;
  }, [text]);
}

/** A draft with nothing in it. */
export const NO_DRAFT = { text: "", files: [], mode: "reply", quote: null, editing: null };

function isWhole(text, files) {
  return (text.trim() !== "" || files.length > 0) && [...text].length <= TEXT_MAX;
}

/** Say what a draft holds: its files one by one, then its text; a note carries its first picture itself. */
export function sayDraft(talks, id, draft) {
  const text = draft.text.trim();
  if (draft.editing) return talks.change(id, draft.editing.seq, text);
  const reply_to = draft.quote ? { reply_to: draft.quote.seq } : {};
  if (draft.mode === "note") {
    const [first = null, ...others] = draft.files;
    talks.say(id, { text: text || t("picture"), ...reply_to }, { isNote: true, file: first });
    for (const file of others) talks.say(id, { text: t("picture") }, { isNote: true, file });
    return Promise.resolve();
  }
  for (const file of draft.files) {
    talks.say(id, file.type === DOCUMENT ? { kind: "file", text: file.name.slice(-NAME_MAX) } : { kind: "image" }, { file });
  }
  if (text) talks.say(id, { text, ...reply_to });
  return Promise.resolve();
}
