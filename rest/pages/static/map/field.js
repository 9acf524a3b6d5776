// The signed-in page: bar, map and panel around one feed.

import { Problem } from "../core/api.js";
import { serverNow } from "../core/clock.js";
import { askAsMe } from "../core/session.js";
import { html, useEffect, useMemo, useRef, useState, useTick } from "../core/ui.js";
import { readAreas } from "./areas.js";
import { MapCanvas } from "./canvas.js";
import { CallDetails, WorkerDetails } from "./details.js";
import { Feed } from "./feed.js";
import { CallList, EventList, Legend, Numbers, Tabs, WorkerList } from "./panel.js";
import { Bones, Connection, Denied, Fault, Frozen, MapTools } from "./signs.js";
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

/** The Leaflet map in `holder`, as long as the page lives; areas are drawn when they have been read. */
function useCanvas(holder, feed, onChoose) {
  const canvas = useRef(null);
  const [areas, setAreas] = useState({ list: [], problem: null });
  useEffect(() => {
    const made = new MapCanvas(holder.current, feed.world, { onChoose });
    canvas.current = made;
    readAllAreas().then((found) => {
      made.showAreas(found.list);
      setAreas(found);
    });
    return () => made.destroy();
  }, []);
  useEffect(() => {
    canvas.current.countAreas();
    if (feed.status === "ready") canvas.current.fitFirst();
  });
  return [canvas, areas];
}

async function readAllAreas() {
  try {
    return { list: readAreas(await askAsMe("GET", "/v1/areas.geojson")), problem: null };
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return { list: [], problem };
  }
}

/** Whether a fact is about the call or worker that is open. */
function concerns(fact, thing) {
  const named = [fact.call_id, fact.worker_id, fact.order_id].filter(Boolean);
  return Boolean(thing) && named.some((id) => id === thing.id || id === thing.subject_id);
}

/** Grows whenever a fact may have changed what is open. */
function useTurn(feed, thing) {
  const open = useRef(thing);
  open.current = thing;
  const [turn, setTurn] = useState(0);
  useEffect(() => feed.facts.subscribe((_, fact) => concerns(fact, open.current) && setTurn((last) => last + 1)), []);
  return turn;
}

export function Field({ brand, tools }) {
  const feed = useMemo(() => new Feed(), []);
  const { world, link } = feed;
  const holder = useRef(null);
  const [chosen, setChosen] = useState(null);
  const [isOpen, setOpen] = useState(false); // on a phone: the panel over the map
  const choose = (next, { isMoving = true } = {}) => {
    setChosen(next && { ...next, isMoving });
    if (next) setOpen(true);
  };
  const [canvas, areas] = useCanvas(holder, feed, (next) => choose(next, { isMoving: false }));
  useEffect(() => {
    feed.start();
    return () => feed.stop();
  }, []);
  useEffect(() => {
    // After the sheet of a phone has its new height: what is chosen belongs in the middle of what is left of the map.
    canvas.current.choose(chosen);
    if (chosen) document.getElementById("details-title")?.focus({ preventScroll: true });
  }, [chosen]);
  usePaced(feed);
  useTick(1_000);

  const thing = chosen && (chosen.kind === "call" ? world.calls : world.workers).get(chosen.id);
  const turn = useTurn(feed, thing);
  const count = countWorld(world, serverNow());
  const onKey = (event) => event.key === "Escape" && chosen && choose(null);
  const about = { world, areas: areas.list, turn, onChoose: choose, onClose: () => choose(null) };
  return html`<div class="page field" onKeyDown=${onKey}>
    <a class="skip" href="#panel">${t("skip")}</a>
    <header class="bar">${brand}<${Connection} link=${link} />${tools}</header>
    <div class=${`stage${isOpen ? " is-open" : ""}${thing ? " has-details" : ""}`}>
      <div class="map-box">
        <div class="map" ref=${holder} role="application" aria-label=${t("map_label")}></div>
        <${MapTools} canvas=${canvas} areas=${areas} />
        <${Legend} count=${count} onHide=${(hidden) => canvas.current.setHidden(hidden)} />
        <${Frozen} link=${link} />
      </div>
      <aside class="panel" id="panel" tabindex="-1" aria-label=${t("title")}>
        <button class="grip" aria-label=${t("resize")} aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)} />
        <${Numbers} world=${world} count=${count} status=${feed.status} />
        ${!thing && html`<${Lists} feed=${feed} areas=${areas.list} onChoose=${choose} />`}
        ${thing && chosen.kind === "worker" && html`<${WorkerDetails} key=${chosen.id} worker=${thing} ...${about} />`}
        ${
          thing &&
          chosen.kind === "call" &&
          html`<${CallDetails} key=${chosen.id} call=${thing} ...${about}
            onCandidates=${(list) => canvas.current?.setCandidates(list)} />`
        }
      </aside>
      ${feed.status === "denied" && html`<${Denied} />`}
    </div>
  </div>`;
}

let lastTab = "calls"; // kept while details are open in the place of the lists

function Lists({ feed, areas, onChoose }) {
  const [tab, setTab] = useState(lastTab);
  lastTab = tab;
  const { world } = feed;
  const calls = [...world.calls.values()].filter((call) => ON_MAP.has(call.status)).length;
  const isKnown = feed.status === "ready";
  const counts = { calls: isKnown ? calls : null, workers: isKnown ? world.workers.size : null };
  const content = { calls: CallList, workers: WorkerList, events: EventList }[tab];
  return html`<div class="lists">
    <${Tabs} tab=${tab} onTab=${setTab} counts=${counts} />
    <div id="tab-panel" class="tab-panel" role="tabpanel" aria-labelledby=${`tab-${tab}`} tabindex="0">
      ${feed.status === "loading" && html`<${Bones} />`}
      ${feed.status === "failed" && html`<${Fault} problem=${feed.problem} onAgain=${() => feed.again()} />`}
      ${isKnown && html`<${content} world=${world} areas=${areas} onChoose=${onChoose} />`}
    </div>
  </div>`;
}
