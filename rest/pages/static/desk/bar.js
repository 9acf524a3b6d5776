// The rail of views and the bar above them: where one is, and as what one is here.

import { Problem } from "../core/api.js";
import { signOut } from "../core/session.js";
import { html, useState } from "../core/ui.js";
import { currentLanguage, setLanguage } from "../core/words.js";
import { reasonOf } from "../chat/text.js";
import { go, VIEWS } from "./place.js";
import { named, t } from "./text.js";

/** Drawn by hand, in one stroke width; each on a field of 20. */
const ICONS = {
  inbox: "M3 11.5 5 4h10l2 7.5V16H3zM3 11.5h4l1.2 2h3.6l1.2-2h4",
  queue: "M4 5h12M4 10h12M4 15h7",
  tickets: "M3 6h14v3a1.5 1.5 0 0 0 0 3v3H3v-3a1.5 1.5 0 0 0 0-3zM12 6v2M12 10v1.5M12 13v2",
  cases: "M10 3v14M6 17h8M4 6h12M4 6 2 11h4zM16 6l-2 5h4z",
  shifts: "M3 5h14v12H3zM3 9h14M7 3v4M13 3v4",
  numbers: "M4 16V9M9 16V4M14 16v-5M3 16.5h14",
  wall: "M3 4h14v10H3zM7 17h6M10 14v3",
  alerts: "M5 13V9a5 5 0 0 1 10 0v4l1.5 2h-13zM8.5 17.5h3",
  rules: "M5 4v12M5 8h6l3-3M11 8l3 3M14 5h2M14 11h2",
};

export function Icon({ name }) {
  return html`<svg viewBox="0 0 20 20" aria-hidden="true" class="glyph"><path d=${ICONS[name]} /></svg>`;
}

export function Rail({ floor, place, onKeys }) {
  const counts = {
    inbox: floor.status === "ready" ? floor.list("mine").reduce((sum, one) => sum + floor.unread(one), 0) : 0,
    queue: floor.status === "ready" ? floor.list("queue").length : 0,
    cases: [...floor.cases.values()].filter(({ state }) => state === "open").length,
  };
  const choose = (event, view) => {
    event.preventDefault();
    go({ view });
    document.getElementById("main")?.focus();
  };
  return html`<nav class="rail" aria-label=${t("views")}>
    <i class="mark" aria-hidden="true"></i>
    ${VIEWS.map(
      (view) => html`<a key=${view} href=${view === "inbox" ? "/desk" : `/desk?view=${view}`} title=${t(`view_${view}`)}
        aria-current=${place.view === view ? "page" : undefined} onClick=${(event) => choose(event, view)}>
        <${Icon} name=${view} /><span>${t(`rail_${view}`)}</span>
        ${counts[view] > 0 && html`<b class="count-badge" aria-label=${t("open_count", { count: counts[view] })}>${counts[view] > 99 ? "99+" : counts[view]}</b>`}
      </a>`,
    )}
    <button class="rail-keys" title=${t("keys")} aria-label=${t("keys")} onClick=${onKeys}>?</button>
  </nav>`;
}

const STATES = ["online", "busy", "away", "offline"];

/** The state of an agent and how much room he has left; nothing for who is none. */
export function AgentState({ floor }) {
  const [fault, setFault] = useState(null);
  const { agent } = floor;
  if (!agent) return null;
  const set = async (state) => {
    setFault(null);
    try {
      await floor.setState(state);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setFault(reasonOf(problem));
    }
  };
  const used = agent.load + agent.over_units;
  return html`<div class="agent-state">
    <i class=${`dot is-${agent.state}`} aria-hidden="true"></i>
    <select aria-label=${t("my_state")} value=${agent.state} onChange=${({ target }) => void set(target.value)}>
      ${STATES.map((state) => html`<option key=${state} value=${state}>${named("state", state)}</option>`)}
    </select>
    <span class="capacity" title=${t("capacity_hint")}>
      <meter min="0" max=${agent.cap} value=${Math.min(used, agent.cap)} aria-label=${t("capacity")}></meter>
      <span>${t("capacity_of", { used: chats(used), cap: chats(agent.cap) })}</span>
    </span>
    ${fault && html`<span class="fault" role="alert">${fault}</span>`}
  </div>`;
}

/** Units as chats: four are one. */
export function chats(units) {
  return String(Math.round((units / 4) * 100) / 100);
}

export function Tools({ floor, session, onPalette, onAlerts }) {
  const other = currentLanguage() === "zh" ? "en" : "zh";
  const name = floor.agent?.name || session.account.nickname || session.account.phone_masked;
  return html`<div class="tools">
    <button class="button search-button" onClick=${onPalette}>${t("palette")} <kbd>Ctrl K</kbd></button>
    <button class="tiny" aria-label=${t("alerts")} title=${t("alerts")} onClick=${onAlerts}><${Icon} name="alerts" /></button>
    <span class="me">${name}${floor.isSupervisor && html` <span class="chip">${t("supervisor")}</span>`}</span>
    <button class="plain" title=${t("language_hint")} onClick=${() => setLanguage(other)}>${t("language")}</button>
    <button class="plain" onClick=${() => void signOut()}>${t("sign_out")}</button>
  </div>`;
}
