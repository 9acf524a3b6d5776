// One message, drawn: who, when, what, how far it has come, and what can be done with it.

import { html } from "../core/ui.js";
import { FileLink, Picture } from "./pictures.js";
import { gistOf, hourOf, momentOf, named, reasonOf, t } from "./text.js";

const LINK = /https?:\/\/[^\s<>"'，。；！？、（）]+/g;

/** Text with its links; only http and https become links, everything else stays text. */
export function withLinks(text) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(LINK)) {
    const address = found[0].replace(/[.,;:!?)\]]+$/, "");
    if (!URL.canParse(address)) continue;
    parts.push(text.slice(end, found.index));
    parts.push(html`<a href=${address} target="_blank" rel="noopener noreferrer nofollow">${address}</a>`);
    end = found.index + address.length;
  }
  parts.push(text.slice(end));
  return parts;
}

/**
 * `view`: {me, isMine, name, reach, quoted, isFirst, isFresh, card} of it; `on`: {open, quote, edit, recall, place,
 * jump} what its buttons do.
 */
export function Message({ message, view, on, tabindex }) {
  if (message.recalled_at) {
    return html`<p class="said-note" id=${`m-${message.seq}`} data-seq=${message.seq} tabindex=${tabindex}>
      ${t("recalled", { who: view.isMine ? t("me") : view.name })}
    </p>`;
  }
  if (message.kind === "system") {
    return html`<p class=${`said-note${message.is_internal ? " is-internal" : ""}`} id=${`m-${message.seq}`}
      data-seq=${message.seq} tabindex=${tabindex}>
      ${message.is_internal && html`<span class="badge">${t("note_badge")}</span> `}${message.text} <time title=${momentOf(message.at)}>${hourOf(message.at)}</time>
    </p>`;
  }
  const kind = message.is_internal ? "note" : view.isMine ? "mine" : view.isOurs ? "ours" : "theirs";
  return html`<article class=${`said is-${kind}${view.isFirst ? " is-first" : ""}`} id=${`m-${message.seq}`}
    data-seq=${message.seq} tabindex=${tabindex} aria-label=${`${view.name} ${hourOf(message.at)}`}>
    ${
      view.isFirst &&
      (message.is_internal || !view.isMine) &&
      html`<header><b>${view.name}</b>${message.is_internal && html`<span class="badge">${t("note_badge")}</span>`}</header>`
    }
    <div class="bubble">
      ${view.quoted && html`<${Quote} message=${view.quoted} name=${view.quotedName} onJump=${on.jump} />`}
      <${Content} message=${message} view=${view} on=${on} />
      <footer>
        ${message.edited_at && html`<span>${t("edited")}</span>`}
        <time dateTime=${new Date(message.at).toISOString()} title=${momentOf(message.at)}>${hourOf(message.at)}</time>
        ${view.reach && html`<${Reach} reach=${view.reach} />`}
      </footer>
    </div>
    <${Actions} message=${message} view=${view} on=${on} />
  </article>`;
}

function Content({ message, view, on, preview }) {
  const text = message.text && html`<p class="text">${withLinks(message.text)}</p>`;
  if (message.kind === "image" || (message.kind === "note" && message.file_id)) {
    return html`<${Picture} message=${message} preview=${preview} onOpen=${on.open} />${text}`;
  }
  if (message.kind === "file") return html`<${FileLink} message=${message} />`;
  if (message.kind === "location") return html`<${Place} place=${message.data} onShow=${on.place} />${text}`;
  if (message.kind === "order_card") return html`${view.card?.(message.data) ?? html`<${Card} data=${message.data} />`}${text}`;
  return text;
}

function Place({ place, onShow }) {
  const where = `${place.lat.toFixed(5)}, ${place.lon.toFixed(5)}`;
  return html`<div class="place">
    <${Sign} path="M10 17s5-5 5-9a5 5 0 0 0-10 0c0 4 5 9 5 9zM10 9.5v-3" />
    <div><b>${place.title || t("place")}</b><small>${where}</small></div>
    ${onShow && html`<button class="plain" onClick=${() => onShow(place)}>${t("place_show")}</button>`}
  </div>`;
}

/** A small drawing beside words that say the same. */
export function Sign({ path }) {
  return html`<svg class="sign" viewBox="0 0 20 20" aria-hidden="true"><path d=${path} /></svg>`;
}

function Card({ data }) {
  return html`<div class="card-line"><b>${t("order")}</b> <code>${data.id}</code></div>`;
}

function Quote({ message, name, onJump }) {
  return html`<button class="quote" onClick=${() => onJump(message.seq)}>
    <b>${name}</b><span>${gistOf(message)}</span>
  </button>`;
}

/** Two ticks say read, in a word too: a colour alone says nothing to some. */
export function Reach({ reach }) {
  const ticks = { sent: "✓", delivered: "✓✓", read: "✓✓" }[reach];
  return html`<span class=${`reach is-${reach}`}><span aria-hidden="true">${ticks}</span> ${t(`reach_${reach}`)}</span>`;
}

function Actions({ message, view, on }) {
  const buttons = [
    on.quote && ["quote", "↩", () => on.quote(message)],
    message.text && ["copy", "⧉", () => void navigator.clipboard?.writeText(message.text)],
    view.isFresh && message.kind === "text" && on.edit && ["edit", "✎", () => on.edit(message)],
    view.isFresh && on.recall && ["recall", "↶", () => on.recall(message)],
  ].filter(Boolean);
  return html`<div class="said-actions" role="group" aria-label=${t("actions")}>
    ${buttons.map(
      ([name, sign, act]) =>
        html`<button key=${name} class="tiny" aria-label=${t(name)} title=${t(name)} tabindex="-1" onClick=${act}>${sign}</button>`,
    )}
  </div>`;
}

/** A message that has no place yet. */
export function Pending({ item, on }) {
  const body = { kind: item.verb === "note" ? "note" : "text", text: "", ...item.body };
  const message = { ...body, data: body.place ?? body.card ?? null, conversation_id: item.conversation_id };
  const isStuck = item.state === "failed" || item.state === "moved";
  const reason = item.state === "failed" ? t("failed", { reason: reasonOf(item.problem) }) : t(item.state);
  return html`<article class=${`said is-pending ${item.verb === "note" ? "is-note" : "is-mine"}${isStuck ? " is-stuck" : ""}`}
    aria-label=${t("me")}>
    <div class="bubble">
      <${Content} message=${message} view=${{}} on=${on} preview=${item.preview} />
      <footer role=${isStuck ? "alert" : undefined}><span>${reason}</span><time>${hourOf(item.at)}</time></footer>
    </div>
    ${
      isStuck &&
      html`<div class="stuck">
        ${
          item.state === "moved"
            ? html`<button class="plain" onClick=${() => on.moved(item)}>${t("look_again")}</button>`
            : html`<button class="plain" onClick=${() => on.retry(item)}>${t("retry")}</button>`
        }
        ${body.text && html`<button class="plain" onClick=${() => void navigator.clipboard?.writeText(body.text)}>${t("copy")}</button>`}
        <button class="plain" onClick=${() => on.drop(item)}>${t("drop")}</button>
      </div>`
    }
  </article>`;
}

/** Messages of one person within this time stand together under one name. */
const TOGETHER_MS = 180_000;

export function isTogether(before, message) {
  return (
    before &&
    before.sender_id === message.sender_id &&
    before.is_internal === message.is_internal &&
    before.kind !== "system" &&
    !before.recalled_at &&
    message.at - before.at < TOGETHER_MS
  );
}

/** The name of who said it where a page knows no better. */
export function plainName(message, me) {
  return message.sender_id === me ? t("me") : named("role", message.sender_role);
}

