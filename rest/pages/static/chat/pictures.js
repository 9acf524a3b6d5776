// Pictures people have sent: read with the reader's token, shown from memory, kept while the page lives.

import { Problem } from "../core/api.js";
import { askAsMe } from "../core/session.js";
import { html, useEffect, useState } from "../core/ui.js";
import { t } from "./text.js";

const KEPT_MAX = 100;
const kept = new Map(); // address → Promise of an object URL

function objectUrl(address) {
  if (!kept.has(address)) {
    const reading = askAsMe("GET", address, { isFile: true }).then((blob) => URL.createObjectURL(blob));
    reading.catch(() => kept.delete(address));
    kept.set(address, reading);
    if (kept.size > KEPT_MAX) forgetOldest();
  }
  return kept.get(address);
}

function forgetOldest() {
  const [oldest, reading] = kept.entries().next().value;
  kept.delete(oldest);
  reading.then((url) => URL.revokeObjectURL(url)).catch(() => null);
}

/** The URL of a file of a conversation, or why it cannot be had: `{url, problem, again}`. */
export function useFile(conversation_id, file_id) {
  const [state, setState] = useState({ url: null, problem: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    if (!file_id) return undefined;
    objectUrl(`/v1/conversations/${conversation_id}/files/${file_id}`).then(
      (url) => isCurrent && setState({ url, problem: null }),
      (problem) => {
        if (!(problem instanceof Problem)) throw problem;
        if (isCurrent) setState({ url: null, problem });
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [conversation_id, file_id, turn]);
  return { ...state, again: () => setTurn((last) => last + 1) };
}

/** A picture in a message; pressed, it is shown large. `preview`: its URL before it is sent. */
export function Picture({ message, preview, onOpen }) {
  const { url, problem, again } = useFile(message.conversation_id, preview ? null : message.file_id);
  const shown = preview ?? url;
  if (problem) return html`<button class="picture is-lost" onClick=${again}>${t("picture_failed")}</button>`;
  if (!shown) return html`<span class="picture is-coming" role="status" aria-label=${t("loading")}></span>`;
  return html`<button class="picture" aria-label=${t("picture_open")} onClick=${() => onOpen(shown)}>
    <img src=${shown} alt=${t("picture")} />
  </button>`;
}

export function FileLink({ message }) {
  const { url, problem, again } = useFile(message.conversation_id, message.file_id);
  if (problem) return html`<button class="plain" onClick=${again}>${t("again")}</button>`;
  return html`<a class="file" href=${url ?? undefined} download=${message.text || t("file")} aria-disabled=${!url}>
    <svg class="sign" viewBox="0 0 20 20" aria-hidden="true"><path d="M5 3h7l3 3v11H5zM12 3v3h3" /></svg> ${message.text || t("file")} <small>${t("download")}</small>
  </a>`;
}
