// The state of the link, always in sight: whoever answers people must know whether what he sees is all there is.

import { html, useSource, useTick } from "../core/ui.js";
import { hourOf, t } from "./text.js";

/** `live`, `catching`, `offline`, `connecting` or `refused`. */
export function linkState(link, talks) {
  if (link.phase === "live") return talks?.isBehind ? "catching" : "live";
  if (link.phase === "connecting" || link.phase === "refused") return link.phase;
  return "offline";
}

export function LinkPill({ link, talks }) {
  useSource(link);
  useTick(2_000);
  const state = linkState(link, talks);
  const text = t(`link_${state}`, { clock: hourOf(link.since_ms) });
  const hint = state === "live" && link.trip_ms !== null ? t("link_hint", { ms: Math.round(link.trip_ms) }) : text;
  return html`<div class=${`link is-${state}`}>
    <span role="status" title=${hint}><i aria-hidden="true"></i>${text}</span>
    ${state === "offline" && html`<button class="plain" onClick=${() => link.retry()}>${t("link_retry")}</button>`}
  </div>`;
}
