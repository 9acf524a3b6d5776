// The map itself: Leaflet, its layers from bottom to top, and what a pointer does on it.

import { control, DomEvent, latLng, map as makeMap, tileLayer } from "leaflet";

import { serverNow } from "../core/clock.js";
import { formatSeconds } from "../core/words.js";
import { AreaLabels, areaAt, areasLayer } from "./areas.js";
import { Markers } from "./markers.js";
import { named, short, t } from "./text.js";
import { doingState, nameOf, ON_MAP, shownState } from "./world.js";

const CHINA = [
  [18, 75],
  [53, 134],
];
const NEAR_ZOOM = 13.5;
const still = window.matchMedia("(prefers-reduced-motion: reduce)");

/** Panes with their place in the pile; Leaflet's own tiles are at 200, its controls at 800. */
const PANES = { areas: 210, markers: 420, labels: 300 };

export class MapCanvas {
  constructor(holder, world, { onChoose }) {
    this.world = world;
    this.onChoose = onChoose;
    this.areas = [];
    this.isFitted = false;
    this.isTouched = false;
    this.source = {
      world,
      now: serverNow,
      get isStill() {
        return still.matches;
      },
      hidden: new Set(),
      chosen: null,
      candidates: [],
      look: 0, // grows when something but the world changes the picture
    };
    this.map = makeMap(holder, {
      zoomControl: false,
      attributionControl: false,
      zoomSnap: 0.25,
      zoomDelta: 0.75,
      wheelPxPerZoomLevel: 90,
      minZoom: 4,
      maxZoom: 18,
      preferCanvas: false,
      worldCopyJump: false,
    });
    this.map.fitBounds(CHINA, { animate: false });
    for (const [name, place] of Object.entries(PANES)) this.map.createPane(name).style.zIndex = place;
    this.map.getPane("labels").style.pointerEvents = "none";
    this.map.getPane("markers").style.pointerEvents = "none";
    this.addTiles();
    this.scale = control.scale({ imperial: false, position: "bottomright", maxWidth: 120 }).addTo(this.map);
    this.markers = new Markers(this.source).addTo(this.map);
    this.addPointer(holder);
    this.observer = new ResizeObserver(() => this.map.invalidateSize({ animate: false, pan: false }));
    this.observer.observe(holder);
  }

  destroy() {
    this.observer.disconnect();
    this.map.remove();
  }

  addTiles() {
    const { tileUrl } = document.body.dataset;
    if (!tileUrl) return;
    const host = new URL(tileUrl.replace("{s}.", "")).host;
    tileLayer(tileUrl, { className: "tiles", maxZoom: 19 }).addTo(this.map);
    control.attribution({ prefix: false, position: "bottomright" }).addAttribution(host).addTo(this.map);
    this.map.getContainer().classList.add("has-tiles");
  }

  addPointer(holder) {
    this.hint = document.createElement("div");
    this.hint.className = "map-hint";
    this.hint.hidden = true;
    holder.append(this.hint);
    DomEvent.disableClickPropagation(this.hint);
    this.map.on("click", (event) => {
      const hit = this.markers.hit(event.layerPoint);
      this.onChoose(hit ? { kind: hit.kind, id: hit.id } : null);
    });
    this.map.on("dragstart", () => (this.isTouched = true));
    holder.addEventListener("wheel", () => (this.isTouched = true), { passive: true });
    this.map.on("mousemove", (event) => this.point(event));
    this.map.on("mouseout movestart zoomstart", () => this.point(null));
  }

  point(event) {
    const hit = event && this.markers.hit(event.layerPoint);
    this.map.getContainer().classList.toggle("is-over", Boolean(hit));
    this.hint.hidden = !hit;
    if (!hit) return;
    this.hint.textContent = hit.kind === "call" ? this.hintOfCall(hit.id) : this.hintOfWorker(hit.id);
    const { x, y } = event.containerPoint;
    this.hint.style.transform = `translate(${x + 14}px, ${y + 14}px)`;
  }

  hintOfCall(id) {
    const call = this.world.calls.get(id);
    return call ? `${t("call")} ${short(id)} · ${named("call", call.status)}` : "";
  }

  hintOfWorker(id) {
    const worker = this.world.workers.get(id);
    if (!worker) return "";
    const parts = [nameOf(this.world, id, short), named("state", doingState(this.world, worker))];
    if (worker.at !== null) parts.push(formatSeconds((serverNow() - worker.at) / 1000));
    return parts.join(" · ");
  }

  showAreas(areas) {
    this.areas = areas;
    areasLayer(areas, "areas").addTo(this.map);
    this.labels = new AreaLabels(areas).addTo(this.map);
    this.countAreas();
    this.fitFirst();
  }

  /** Technicians and calls in each area, under its name. */
  countAreas() {
    if (!this.labels) return;
    const counts = new Map(this.areas.map((area) => [area.code, { workers: 0, calls: 0 }]));
    const now = serverNow();
    for (const worker of this.world.workers.values()) {
      if (worker.lat === null || ["lost", "offline"].includes(shownState(this.world, worker, now))) continue;
      const count = counts.get(this.areaOf(worker));
      if (count) count.workers++;
    }
    for (const call of this.world.calls.values()) {
      const count = call.lat != null && ON_MAP.has(call.status) && counts.get(areaAt(this.areas, call.lon, call.lat));
      if (count) count.calls++;
    }
    this.labels.setCounts((code) => {
      const { workers, calls } = counts.get(code);
      return workers || calls ? t("area_counts", { workers, calls }) : "";
    });
  }

  /** The area of a worker; asked again only after it has moved. */
  areaOf(worker) {
    if (worker.area_of !== worker.lat + worker.lon) {
      worker.area_of = worker.lat + worker.lon;
      worker.area = areaAt(this.areas, worker.lon, worker.lat);
    }
    return worker.area;
  }

  /** Show everything there is: what moves, else the areas. */
  fit() {
    this.isTouched = true;
    this.fitAll({ animate: !still.matches });
  }

  /** The same by itself at the beginning, until there was something to show or somebody has looked elsewhere. */
  fitFirst() {
    if (!this.isTouched && !this.isFitted) this.fitAll({ animate: false });
  }

  fitAll(options) {
    const points = [];
    for (const worker of this.world.workers.values())
      if (worker.lat !== null && worker.online) points.push([worker.lat, worker.lon]);
    for (const call of this.world.calls.values()) if (call.lat != null) points.push([call.lat, call.lon]);
    const boxes = points.length > 1 ? points : this.areas.flatMap((area) => area.bounds);
    if (!boxes.length) return;
    this.map.fitBounds(boxes, { padding: [40, 40], maxZoom: NEAR_ZOOM, ...options });
    if (points.length > 1) this.isFitted = true;
  }

  fitArea(code) {
    const area = this.areas.find((one) => one.code === code);
    this.isTouched = true;
    if (area) this.map.fitBounds(area.bounds, { padding: [30, 30], animate: !still.matches });
  }

  /** Mark `{kind, id, isMoving}`, or nothing; `isMoving` brings it into the middle. */
  choose(chosen) {
    this.source.chosen = chosen;
    this.source.look++;
    const thing = chosen && (chosen.kind === "call" ? this.world.calls : this.world.workers).get(chosen.id);
    if (!chosen?.isMoving || !thing || thing.lat == null) return;
    this.isTouched = true;
    this.map.invalidateSize({ animate: false, pan: false });
    const options = { animate: !still.matches };
    if (chosen.kind === "call" && thing.ring_m) {
      const box = latLng(thing.lat, thing.lon).toBounds(2 * thing.ring_m);
      this.map.fitBounds(box, { ...options, padding: [24, 24], maxZoom: NEAR_ZOOM });
    } else {
      this.map.setView([thing.lat, thing.lon], Math.max(this.map.getZoom(), NEAR_ZOOM), options);
    }
  }

  setCandidates(candidates) {
    this.source.candidates = candidates;
    this.source.look++;
  }

  setHidden(hidden) {
    this.source.hidden = hidden;
    this.source.look++;
  }
}
