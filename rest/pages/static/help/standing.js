// How a question stands, in words: for the strip over a thread and for the chip of a row.

import { serverNow } from "../core/clock.js";
import { html } from "../core/ui.js";
import { formatSeconds, tag } from "../core/words.js";
import { SERVED, WAITS } from "./support.js";
import { t } from "./text.js";

/** `{tone, title, details}`: what is said, and how it looks. Tones: wait, calm, good, over. */
export function wordsOf(standing) {
  const { state, kind, agent_name: name } = standing;
  if (WAITS.has(state)) return kind === "ticket" ? ticketWords(standing) : waitingWords(standing);
  if (SERVED.has(state)) {
    const title = !name ? t("served") : standing.former && standing.former !== name ? t("served_now", { name }) : t("served_by", { name });
    return { tone: "good", title, details: [state === "pending" && t(standing.notice === "idle" ? "idle_soon" : "your_turn")] };
  }
  if (state === "resolved") return { tone: "calm", title: t("resolved"), details: [standing.resolution, t("resolved_lead")] };
  return { tone: "over", title: t("over"), details: [standing.resolution, t("over_lead")] };
}

function waitingWords(standing) {
  const isMoved = Boolean(standing.former);
  if (standing.state === "offered" || standing.position === null || standing.position === undefined) {
    return { tone: "wait", title: t(isMoved ? "moving" : "connecting"), details: [] };
  }
  const title = standing.position === 1 ? t("next") : t("place", { place: standing.position });
  return { tone: "wait", title, details: [isMoved && t("moving_lead"), expected(standing), hintOf(standing)] };
}

function expected({ wait_p50_s: half, wait_p90_s: most }) {
  if (half === null || half === undefined) return t("wait_unknown");
  return t("wait", { half: formatSeconds(Math.max(half, 30)), most: formatSeconds(Math.max(most, 60)) });
}

function hintOf({ notice }) {
  if (notice === "nobody_here") return t("nobody_here");
  if (notice === "ticket_offered") return t("ticket_offered");
  return null;
}

function ticketWords({ back_at, number, notice }) {
  const title = number ? t("ticket_title", { number }) : t("ticket_plain");
  if (!back_at) return { tone: "calm", title, details: [t(notice === "now_ticket" ? "ticket_now" : "ticket_lead")] };
  const when = whenOf(Date.parse(back_at));
  return { tone: "calm", title: t("out_of_hours"), details: [t("back_at", { number: number ?? "", when })] };
}

/** Day and hour: today's hour alone, else with its weekday. */
export function whenOf(ms) {
  const isToday = new Date(ms).toDateString() === new Date(serverNow()).toDateString();
  const day = isToday ? {} : { month: "long", day: "numeric", weekday: "short" };
  const moment = new Intl.DateTimeFormat(tag(), { ...day, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(ms);
  return isToday ? t("today_at", { clock: moment }) : moment;
}

/** The same in a word. */
export function chipOf(row, standing, rating) {
  if (!standing) return row.status === "closed" ? { tone: "over", text: t("chip_over") } : { tone: "calm", text: t("chip_open") };
  const { state, kind, position } = standing;
  if (WAITS.has(state)) {
    if (kind === "ticket") return { tone: "wait", text: t("chip_ticket") };
    return { tone: "wait", text: position ? t("chip_place", { place: position }) : t("chip_waits") };
  }
  if (SERVED.has(state)) {
    if (state === "pending") return { tone: "turn", text: t("chip_turn") };
    return { tone: "good", text: standing.agent_name ? t("chip_by", { name: standing.agent_name }) : t("chip_served") };
  }
  if (rating && rating.score === null) return { tone: "turn", text: t("chip_rate") };
  return { tone: "over", text: t(state === "resolved" ? "chip_resolved" : "chip_over") };
}

/** Over the thread. What it says is told when it changes; its buttons are not read out with it. */
export function Standing({ standing, children }) {
  const { tone, title, details } = wordsOf(standing);
  return html`<section class=${`standing is-${tone}`} aria-label=${t("standing")}>
    <div role="status"><b><i aria-hidden="true"></i>${title}</b>
      ${details.filter(Boolean).map((detail) => html`<p key=${detail}>${detail}</p>`)}</div>
    ${children}
  </section>`;
}
