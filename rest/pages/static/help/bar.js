// The bar over every view: whose page it is, the state of the link, language and the way out.

import { signOut } from "../core/session.js";
import { html } from "../core/ui.js";
import { currentLanguage, setLanguage } from "../core/words.js";
import { LinkPill } from "../chat/pill.js";
import { back } from "./place.js";
import { t } from "./text.js";

export function Brand() {
  return html`<div class="help-brand"><i class="mark" aria-hidden="true"></i><h1>${t("title")}</h1></div>`;
}

export function Language() {
  const other = currentLanguage() === "zh" ? "en" : "zh";
  return html`<button class="plain" title=${t("language_hint")} onClick=${() => setLanguage(other)}>${t("language")}</button>`;
}

export function Bar({ support }) {
  return html`<header class="help-bar">
    <${Brand} />
    <${LinkPill} link=${support.link} talks=${support.talks} />
    <div class="help-tools">
      <${Language} />
      <button class="plain" onClick=${() => void signOut()}>${t("signout")}</button>
    </div>
  </header>`;
}

/** Over what is open. On phones it stands in for the bar, so the state of the link is here too. */
export function ViewHead({ support, title, head }) {
  return html`<header class="view-head">
    <button type="button" class="tiny back" aria-label=${t("back")} onClick=${back}>‹</button>
    <h2 ref=${head} tabindex="-1">${title}</h2>
    <${LinkPill} link=${support.link} talks=${support.talks} />
  </header>`;
}
