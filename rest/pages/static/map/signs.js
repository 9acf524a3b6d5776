// What the page says about itself: how it is connected, that it stands still, that somebody may not look, its tools.

import { html, useSource } from "../core/ui.js";
import { formatClock, formatSeconds } from "../core/words.js";
import { t } from "./text.js";

const SLOW_MS = 1_000; // longer than this there and back, and "live" is not the whole truth

/** How well the page is connected, always in sight. The changing number is not for screen readers: it never rests. */
export function Connection({ link }) {
  useSource(link);
  const isLive = link.phase === "live";
  const lag = t("lag", { ms: Math.round(link.trip_ms) });
  return html`<p class=${`connection ${link.phase}`}>
    <i aria-hidden="true"></i><span role="status">${t(`phase_${link.phase}`)}</span>
    ${isLive && link.trip_ms !== null && html`<small class=${link.trip_ms > SLOW_MS ? "slow" : ""}>${lag}</small>`}
  </p>`;
}

/** What is shown without a connection is the past; say so over the map. */
export function Frozen({ link }) {
  useSource(link);
  if (link.phase !== "lost" && link.phase !== "reconnecting") return null;
  const age = formatSeconds((Date.now() - link.since_ms) / 1000);
  return html`<div class="frozen">
    <p><span role="alert">${t("frozen", { clock: formatClock(link.since_ms) })}</span> ${t("frozen_for", { age })}</p>
    <button class="primary" onClick=${() => link.retry()}>${t("retry_now")}</button>
  </div>`;
}

export function Denied() {
  return html`<div class="cover">
    <div class="card" role="alert"><h2>${t("denied_title")}</h2><p>${t("denied")}</p></div>
  </div>`;
}

/** Placeholders while something is read. */
export function Bones() {
  return html`<div class="bones" role="status" aria-label=${t("loading")}><i></i><i></i><i></i></div>`;
}

/** A reading that failed, and the way to try it again. */
export function Fault({ problem, onAgain }) {
  const reason = problem.code === "network" ? t("network") : problem.message;
  return html`<div class="failed" role="alert">
    <p>${t("load_failed", { reason })}</p>
    <button class="primary" onClick=${onAgain}>${t("try_again")}</button>
  </div>`;
}

/** Area, zoom and "show everything", over the map. `canvas` is a ref. */
export function MapTools({ canvas, areas }) {
  const onArea = ({ target }) => (target.value ? canvas.current.fitArea(target.value) : canvas.current.fit());
  const buttons = [
    ["zoom_in", "+", () => canvas.current.map.zoomIn()],
    ["zoom_out", "−", () => canvas.current.map.zoomOut()],
    ["fit", "⤢", () => canvas.current.fit()],
  ];
  return html`<div class="map-tools">
    <select aria-label=${t("area")} disabled=${!areas.list.length} onChange=${onArea}>
      <option value="">${areas.problem ? t("areas_failed") : t("everything")}</option>
      ${areas.list.map((area) => html`<option key=${area.code} value=${area.code}>${area.name}</option>`)}
    </select>
    ${buttons.map(
      ([name, sign, act]) =>
        html`<button key=${name} class="icon" aria-label=${t(name)} title=${t(name)} onClick=${act}>${sign}</button>`,
    )}
  </div>`;
}
