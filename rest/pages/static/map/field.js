// The signed-in page: bar, map, panel; and the states in which there is nothing to show yet or no permission to.

import { Problem } from "../core/api.js";
import { serverNow } from "../core/clock.js";
import { askAsMe } from "../core/session.js";
import { html, useEffect, useMemo, useRef, useSource, useState, useTick } from "../core/ui.js";
import { formatClock, formatSeconds } from "../core/words.js";
import { readAreas } from "./areas.js";
import { MapCanvas } from "./canvas.js";
import { CallDetails, faultOf, WorkerDetails } from "./details.js";
import { Feed } from "./feed.js";
import { CallList, EventList, Legend, Numbers, Tabs, WorkerList } from "./panel.js";
import { t } from "./text.js";
import { countWorld, ON_MAP } from "./world.js";

const PANEL_MS = 250; // people read no faster; the canvas has its own pace

/** Renders at a reading pace however fast `source` changes. */
function usePaced(source) {
  const [, setTurn] = useState(0);
  useEffect(() => {
    let timer = null;
    const stop = source.subscribe(() => {
      timer ??= setTimeout(() => {
        timer = null;
        setTurn((turn) => turn + 1);
      }, PANEL_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [source]);
}

export function Field({ brand, tools }) {
  const feed = useMemo(() => new Feed(), []);
  const { world, link } = feed;
  const holder = useRef(null);
  const canvas = useRef(null);
  const shown = useRef(null);
  const [tab, setTab] = useState("calls");
  const [chosen, setChosen] = useState(null);
  const [hidden, setHidden] = useState(new Set());
  const [areas, setAreas] = useState({ list: [], problem: null });
  const [isOpen, setOpen] = useState(false); // on a phone: the panel over the map
  const [turn, setTurn] = useState(0); // grows when a fact may have changed the details
  usePaced(feed);
  useTick(1_000);

  const choose = (next, { isMoving = true } = {}) => {
    setChosen(next && { ...next, isMoving });
    if (next) setOpen(true);
  };

  useEffect(() => {
    canvas.current = new MapCanvas(holder.current, world, { onChoose: (next) => choose(next, { isMoving: false }) });
    feed.start();
    const stop = feed.facts.subscribe((_topic, fact) => {
      if (concerns(fact, shown.current)) setTurn((last) => last + 1);
    });
    void loadAreas(setAreas, canvas);
    return () => {
      stop();
      feed.stop();
      canvas.current.destroy();
    };
  }, []);
  useEffect(() => canvas.current.setHidden(hidden), [hidden]);
  useEffect(() => {
    canvas.current.countAreas();
    if (feed.status === "ready") canvas.current.fitFirst();
  });
  useEffect(() => {
    // After the sheet of a phone has its new height: what is chosen belongs in the middle of what is left of the map.
    canvas.current.choose(chosen);
    if (chosen) document.getElementById("details-title")?.focus({ preventScroll: true });
  }, [chosen]);

  const count = countWorld(world, serverNow());
  const thing = chosen && (chosen.kind === "call" ? world.calls : world.workers).get(chosen.id);
  shown.current = thing;
  const toggle = (state) => {
    const next = new Set(hidden);
    if (!next.delete(state)) next.add(state);
    setHidden(next);
  };
  const onKey = (event) => event.key === "Escape" && chosen && choose(null);
  return html`<div class="page field" onKeyDown=${onKey}>
    <a class="skip" href="#panel">${t("skip")}</a>
    <header class="bar">${brand}<${Connection} link=${link} />${tools}</header>
    <div class=${`stage${isOpen ? " is-open" : ""}${thing ? " has-details" : ""}`}>
      <div class="map-box">
        <div class="map" ref=${holder} role="application" aria-label=${t("map_label")}></div>
        <${MapTools} canvas=${canvas} areas=${areas} />
        <${Legend} count=${count} hidden=${hidden} onToggle=${toggle} />
        <${Frozen} link=${link} />
      </div>
      <aside class="panel" id="panel" tabindex="-1" aria-label=${t("title")}>
        <button class="grip" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)} aria-label=${t("resize")}></button>
        <${Numbers} world=${world} count=${count} status=${feed.status} />
        ${thing
          ? chosen.kind === "call"
            ? html`<${CallDetails} key=${chosen.id} world=${world} areas=${areas.list} call=${thing} turn=${turn} onChoose=${choose}
                onClose=${() => choose(null)} onCandidates=${(list) => canvas.current?.setCandidates(list)} />`
            : html`<${WorkerDetails} key=${chosen.id} world=${world} areas=${areas.list} worker=${thing} turn=${turn} onChoose=${choose} onClose=${() => choose(null)} />`
          : html`<${Lists} feed=${feed} areas=${areas.list} tab=${tab} onTab=${setTab} chosen=${chosen} onChoose=${choose} />`}
      </aside>
      ${feed.status === "denied" && html`<${Denied} />`}
    </div>
  </div>`;
}

/** Whether a fact is about the call or worker that is open. */
function concerns(fact, thing) {
  return Boolean(thing) && [fact.call_id, fact.worker_id, fact.order_id].some((id) => id && (id === thing.id || id === thing.subject_id));
}

async function loadAreas(setAreas, canvas) {
  try {
    const list = readAreas(await askAsMe("GET", "/v1/areas.geojson"));
    canvas.current.showAreas(list);
    setAreas({ list, problem: null });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    setAreas({ list: [], problem });
  }
}

function Lists({ feed, areas, tab, onTab, chosen, onChoose }) {
  const { world } = feed;
  const calls = [...world.calls.values()].filter((call) => ON_MAP.has(call.status)).length;
  const counts = { calls, workers: world.workers.size };
  let body;
  if (feed.status === "loading") body = html`<div class="bones" role="status" aria-label=${t("loading")}><i></i><i></i><i></i><i></i></div>`;
  else if (feed.status === "failed") {
    body = html`<div class="empty" role="alert"><p>${faultOf(feed.problem)}</p><button class="primary" onClick=${() => feed.again()}>${t("try_again")}</button></div>`;
  } else if (tab === "calls") body = html`<${CallList} world=${world} areas=${areas} chosen=${chosen} onChoose=${onChoose} />`;
  else if (tab === "workers") body = html`<${WorkerList} world=${world} chosen=${chosen} onChoose=${onChoose} />`;
  else body = html`<${EventList} world=${world} onChoose=${onChoose} />`;
  return html`<div class="lists">
    <${Tabs} tab=${tab} onTab=${onTab} counts=${counts} />
    <div id="tab-panel" class="tab-panel" role="tabpanel" aria-labelledby=${`tab-${tab}`} tabindex="0">${body}</div>
  </div>`;
}

/** How well the page is connected, always in sight. */
function Connection({ link }) {
  useSource(link);
  const isLive = link.phase === "live";
  return html`<p class=${`connection ${link.phase}`} role="status" data-phase=${link.phase}>
    <i aria-hidden="true"></i><span>${t(`phase_${link.phase}`)}</span>
    ${isLive && link.trip_ms !== null && html`<small>${t("lag", { ms: Math.round(link.trip_ms) })}</small>`}
  </p>`;
}

/** What is shown without a connection is the past; say so over the map. */
function Frozen({ link }) {
  useSource(link);
  if (link.phase !== "lost" && link.phase !== "reconnecting") return null;
  const age = formatSeconds((Date.now() - link.since_ms) / 1000);
  return html`<div class="frozen" role="alert">
    <p>${t("frozen", { clock: formatClock(link.since_ms), age })}</p>
    <button class="primary" onClick=${() => link.retry()}>${t("retry_now")}</button>
  </div>`;
}

function Denied() {
  return html`<div class="cover"><div class="card" role="alert"><h2>${t("denied_title")}</h2><p>${t("denied")}</p></div></div>`;
}

function MapTools({ canvas, areas }) {
  return html`<div class="map-tools">
    <select aria-label=${t("area")} disabled=${!areas.list.length}
      onChange=${(event) => (event.target.value ? canvas.current.fitArea(event.target.value) : canvas.current.fit())}>
      <option value="">${areas.problem ? t("areas_failed") : t("everything")}</option>
      ${areas.list.map((area) => html`<option key=${area.code} value=${area.code}>${area.name}</option>`)}
    </select>
    <button class="icon" aria-label=${t("zoom_in")} title=${t("zoom_in")} onClick=${() => canvas.current.map.zoomIn()}>+</button>
    <button class="icon" aria-label=${t("zoom_out")} title=${t("zoom_out")} onClick=${() => canvas.current.map.zoomOut()}>−</button>
    <button class="icon" aria-label=${t("fit")} title=${t("fit")} onClick=${() => canvas.current.fit()}>⤢</button>
  </div>`;
}
