// Opening hours and shifts: a week as a grid, intervals past midnight drawn where they fall, days that differ named.

import { serverNow } from "../core/clock.js";
import { askAsMe } from "../core/session.js";
import { html } from "../core/ui.js";
import { tag } from "../core/words.js";
import { Reading, useReading } from "../chat/states.js";
import { Scroll } from "./boards.js";
import { t } from "./text.js";

const DAY_MIN = 1440;

export function ShiftsView({ floor }) {
  const ids = calendarsOf(floor);
  const key = [...ids.keys()].join(",");
  const reading = useReading((signal) => Promise.all([...ids.keys()].map((id) => askAsMe("GET", `/v1/admin/desk/calendars/${id}`, { signal }))), [], { key });
  const always = [...floor.agents.values()].filter(({ calendar_id }) => !calendar_id);
  return html`<div class="page-body">
    <${Reading} reading=${reading} isEmpty=${(found) => !found.length} empty=${t("no_calendars")}>
      ${(found) => found.map((calendar) => html`<${Week} key=${calendar.id} calendar=${calendar} used=${ids.get(calendar.id)} />`)}
    <//>
    ${reading.status === "ready" && always.length > 0 && html`<p class="muted pad">${t("always", { names: always.map(({ name }) => name).join("、") })}</p>`}
  </div>`;
}

/** Calendar → who goes by it. */
function calendarsOf(floor) {
  const ids = new Map();
  const add = (id, name) => id && ids.set(id, [...(ids.get(id) ?? []), name]);
  for (const queue of floor.queues.values()) add(queue.calendar_id, t("queue_named", { name: queue.name }));
  for (const agent of floor.agents.values()) add(agent.calendar_id, agent.name);
  return ids;
}

/** The hours of each of the next seven days, as they really are: this week's pattern, and the days that differ. */
function daysOf(calendar) {
  const today = new Date(new Intl.DateTimeFormat("sv-SE", { timeZone: calendar.zone }).format(serverNow()));
  const monday = new Date(today.getTime() - ((today.getUTCDay() + 6) % 7) * 86_400_000);
  return Array.from({ length: 7 }, (_, n) => {
    const date = new Date(monday.getTime() + n * 86_400_000);
    const on = date.toISOString().slice(0, 10);
    return { n, on, date, isToday: on === today.toISOString().slice(0, 10), other: calendar.overrides[on] ?? null, spans: calendar.overrides[on] ?? calendar.week[n] };
  });
}

function hour(minutes) {
  const within = minutes % DAY_MIN;
  return `${String(Math.floor(within / 60)).padStart(2, "0")}:${String(within % 60).padStart(2, "0")}`;
}

/** "22:00–06:00 (+1)". */
function spanText([from, to]) {
  return `${hour(from)}–${to === DAY_MIN ? "24:00" : hour(to)}${to > DAY_MIN ? ` ${t("next_day")}` : ""}`;
}

function Week({ calendar, used }) {
  const days = daysOf(calendar);
  const weekday = new Intl.DateTimeFormat(tag(), { weekday: "short", timeZone: "UTC" });
  const short = new Intl.DateTimeFormat(tag(), { month: "numeric", day: "numeric", timeZone: "UTC" });
  const others = Object.entries(calendar.overrides).sort(([a], [b]) => a.localeCompare(b));
  return html`<section class="card board" aria-label=${calendar.name}>
    <header><h2>${calendar.name}</h2><small>${calendar.zone} · ${t("used_by", { names: used.join("、") })}</small></header>
    <${Scroll}><div class="week">
      <div class="week-hours" aria-hidden="true">${[0, 6, 12, 18, 24].map((at) => html`<span key=${at} style=${{ left: `${(at / 24) * 100}%` }}>${at}</span>`)}</div>
      ${days.map(
        (day) => html`<div key=${day.on} class=${`week-day${day.isToday ? " is-today" : ""}${day.other ? " is-other" : ""}`}>
          <div class="week-name"><b>${weekday.format(day.date)}</b> <small>${short.format(day.date)}</small></div>
          <div class="week-bar">
            ${barsOf(days, day).map(({ from, to, isOver }) => html`<i key=${`${from}-${isOver}`} class=${isOver ? "is-over" : ""} style=${{ left: `${(from / DAY_MIN) * 100}%`, width: `${((to - from) / DAY_MIN) * 100}%` }}></i>`)}
          </div>
          <div class="week-text">${day.spans.length ? day.spans.map(spanText).join("，") : t("closed_day")}${day.other && html` <span class="chip">${t("differs")}</span>`}</div>
        </div>`,
      )}
    </div><//>
    ${
      others.length > 0 &&
      html`<details class="others"><summary>${t("other_days")} <span class="n">${others.length}</span></summary>
        <ul>${others.map(([on, spans]) => html`<li key=${on}><time>${on}</time> ${spans.length ? spans.map(spanText).join("，") : t("closed_day")}</li>`)}</ul></details>`
    }
  </section>`;
}

/** What of this day is open, with what runs over from the day before. */
function barsOf(days, day) {
  const before = days[day.n - 1]?.spans ?? [];
  const over = before.filter(([, to]) => to > DAY_MIN).map(([, to]) => ({ from: 0, to: to - DAY_MIN, isOver: true }));
  return [...over, ...day.spans.map(([from, to]) => ({ from, to: Math.min(to, DAY_MIN), isOver: false }))];
}

