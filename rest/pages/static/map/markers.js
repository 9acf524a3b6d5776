// Everything that moves, on one canvas: rings, calls, technicians, and lines from a chosen call to its candidates.
// Ten thousand technicians are ten thousand small copies of prepared pictures, or squares, not ten thousand elements.

import { Bounds, DomUtil, Layer } from "leaflet";

import { CALL_COLOURS, COLOURS, INK, makeAtlas } from "./pictures.js";
import { ON_MAP, placeOf, shownState, STATES } from "./world.js";

const PADDING = 0.25; // of the view on each side: dragging shows no empty edge
const FRAME_MS = 33; // 30 pictures a second are smooth for things that drive
const SHARE = 3; // a picture that took 20 ms is followed by a pause of 60: the page must stay answerable
const IDLE_MS = 1_000; // colours age while nothing moves
const CROWD = 1_200; // in view; a picture costs some 9 µs without a graphics card, together a third of a frame
const HIT_PX = 16;
const EARTH_M_PER_DEGREE = 111_195;

/**
 * `source` gives: world, now(), isStill (no gliding), hidden (states), chosen {kind, id}, candidates of a chosen call,
 * look (grows when one of these changes).
 */
export const Markers = Layer.extend({
  initialize(source) {
    this.source = source;
    this.atlases = new Map();
    this.drawn = [];
    this.last = 0;
    this.cost = 0; // ms of the last picture
  },

  onAdd(map) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "markers leaflet-zoom-animated";
    this.canvas.setAttribute("aria-hidden", "true");
    this.pen = this.canvas.getContext("2d");
    map.getPane("markers").append(this.canvas);
    this.settle();
    const turn = (at) => {
      this.frame = requestAnimationFrame(turn);
      this.maybeDraw(at);
    };
    this.frame = requestAnimationFrame(turn);
  },

  onRemove() {
    cancelAnimationFrame(this.frame);
    this.canvas.remove();
  },

  getEvents() {
    return { moveend: this.settle, resize: this.settle, viewreset: this.settle, zoomanim: this.follow };
  },

  /** Put the canvas over the view again; while dragging it travels with the map. */
  settle() {
    const map = this._map;
    const size = map.getSize();
    const scale = window.devicePixelRatio || 1;
    const corner = size.multiplyBy(-PADDING).round();
    const whole = size.multiplyBy(1 + 2 * PADDING).round();
    this.origin = map.containerPointToLayerPoint(corner).round();
    this.bounds = new Bounds(this.origin, this.origin.add(whole));
    this.corner = map.layerPointToLatLng(this.origin);
    this.zoom = map.getZoom();
    if (this.canvas.width !== whole.x * scale || this.canvas.height !== whole.y * scale || this.scale !== scale) {
      this.scale = scale;
      this.canvas.width = whole.x * scale;
      this.canvas.height = whole.y * scale;
      this.canvas.style.width = `${whole.x}px`;
      this.canvas.style.height = `${whole.y}px`;
      this.atlases.clear();
    }
    DomUtil.setPosition(this.canvas, this.origin);
    this.draw(performance.now());
  },

  /** During a zoom the old picture is stretched to where it belongs. */
  follow({ center, zoom }) {
    const map = this._map;
    const grow = map.getZoomScale(zoom, this.zoom);
    const target = map.project(this.corner, zoom).subtract(map.project(center, zoom)).add(map.getSize().divideBy(2));
    DomUtil.setTransform(this.canvas, map.containerPointToLayerPoint(target), grow);
  },

  maybeDraw(at) {
    const { world } = this.source;
    const isNews = this.seen !== world.version || this.seenLook !== this.source.look;
    const wait = isNews || at < this.movingUntil ? Math.max(FRAME_MS, SHARE * this.cost) : IDLE_MS;
    if (at - this.last >= wait && !document.hidden) this.draw(at);
  },

  draw(at) {
    const started = performance.now();
    this.last = at;
    this.seen = this.source.world.version;
    this.seenLook = this.source.look;
    this.movingUntil = 0;
    this.drawn = [];
    const { pen, scale, origin } = this;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.setTransform(scale, 0, 0, scale, -origin.x * scale, -origin.y * scale);
    const calls = [...this.source.world.calls.values()].filter((call) => ON_MAP.has(call.status) && call.lat != null);
    for (const call of calls) this.drawRing(call);
    this.drawLines(at);
    this.drawWorkers(at);
    for (const call of calls) this.drawCall(call);
    this.cost = performance.now() - started;
  },

  point(lat, lon) {
    return this._map.latLngToLayerPoint([lat, lon]);
  },

  isChosen(kind, id) {
    const { chosen } = this.source;
    return chosen !== null && chosen.kind === kind && chosen.id === id;
  },

  drawRing(call) {
    if (!call.ring_m) return;
    const { pen } = this;
    const middle = this.point(call.lat, call.lon);
    const radius = middle.y - this.point(call.lat + call.ring_m / EARTH_M_PER_DEGREE, call.lon).y;
    const isChosen = this.isChosen("call", call.id);
    const isAside = this.source.chosen !== null && !isChosen;
    pen.beginPath();
    pen.arc(middle.x, middle.y, radius, 0, 2 * Math.PI);
    pen.fillStyle = pen.strokeStyle = CALL_COLOURS[call.status];
    if (isChosen) {
      // Only this one is filled: tints of many rings would add up to mud.
      pen.globalAlpha = 0.1;
      pen.fill();
    }
    pen.globalAlpha = isChosen ? 0.95 : isAside ? 0.12 : 0.35;
    pen.lineWidth = isChosen ? 1.5 : 1;
    pen.setLineDash(call.status === "open" ? [6, 5] : [2, 4]);
    pen.stroke();
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  },

  drawLines(at) {
    const { pen, source } = this;
    const call = source.chosen?.kind === "call" ? source.world.calls.get(source.chosen.id) : null;
    if (!call || call.lat == null) return;
    const from = this.point(call.lat, call.lon);
    pen.globalAlpha = 0.8;
    pen.lineWidth = 1.5;
    for (const candidate of source.candidates) {
      const worker = source.world.workers.get(candidate.worker_id);
      if (!candidate.is_in || !worker || worker.lat === null) continue;
      const to = this.point(...placeOf(worker, at));
      pen.beginPath();
      pen.moveTo(from.x, from.y);
      pen.lineTo(to.x, to.y);
      pen.strokeStyle = candidate.colour;
      pen.stroke();
    }
    pen.globalAlpha = 1;
  },

  drawWorkers(at) {
    const { source, bounds } = this;
    const now = source.now();
    const { isStill } = source;
    const found = [];
    for (const worker of source.world.workers.values()) {
      if (worker.lat === null) continue;
      const state = shownState(source.world, worker, now);
      const isChosen = this.isChosen("worker", worker.id);
      if (source.hidden.has(state) && !isChosen) continue;
      const { x, y } = this.point(...(isStill ? [worker.lat, worker.lon] : placeOf(worker, at)));
      if (worker.was && at < worker.was.until) this.movingUntil = Math.max(this.movingUntil, worker.was.until);
      if (x < bounds.min.x || x > bounds.max.x || y < bounds.min.y || y > bounds.max.y) continue;
      if (isChosen) this.drawHalo({ x, y }, COLOURS[state]);
      found.push({ kind: "worker", id: worker.id, x, y, state, heading: worker.heading });
    }
    if (found.length > CROWD) this.drawCrowd(found);
    else this.drawArrows(found);
    this.drawn.push(...found);
  },

  /** Squares are seven times as fast as pictures, and in a crowd nobody can tell a heading. */
  drawCrowd(found) {
    const { pen } = this;
    const side = this.zoom < 10 ? 3 : this.zoom < 12.5 ? 4 : 6;
    for (const state of STATES) {
      const here = found.filter((one) => one.state === state);
      pen.fillStyle = INK;
      for (const { x, y } of here)
        pen.fillRect(Math.round(x - side / 2) - 1, Math.round(y - side / 2) - 1, side + 2, side + 2);
      pen.fillStyle = COLOURS[state];
      for (const { x, y } of here) pen.fillRect(Math.round(x - side / 2), Math.round(y - side / 2), side, side);
    }
  },

  drawArrows(found) {
    const { pen } = this;
    const { image, side, cell } = this.atlas(this.zoom < 10 ? 8 : this.zoom < 12.5 ? 14 : 19);
    const edge = side / this.scale;
    for (const { x, y, state, heading } of found) {
      const { row, column } = cell(state, heading);
      pen.drawImage(image, column * side, row * side, side, side, x - edge / 2, y - edge / 2, edge, edge);
    }
  },

  /** Prepared pictures of every state in every direction, for one size. */
  atlas(size) {
    const known = this.atlases.get(size);
    if (known) return known;
    const made = makeAtlas(size, this.scale);
    this.atlases.set(size, made);
    return made;
  },

  drawHalo(point, colour) {
    const { pen } = this;
    pen.beginPath();
    pen.arc(point.x, point.y, 17, 0, 2 * Math.PI);
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.globalAlpha = 0.9;
    pen.stroke();
    pen.globalAlpha = 0.15;
    pen.fillStyle = colour;
    pen.fill();
    pen.globalAlpha = 1;
  },

  drawCall(call) {
    const { pen } = this;
    const { x, y } = this.point(call.lat, call.lon);
    const reach = this.isChosen("call", call.id) ? 12 : this.zoom < 10 ? 6 : 9;
    pen.beginPath();
    pen.moveTo(x, y - reach);
    pen.lineTo(x + reach, y);
    pen.lineTo(x, y + reach);
    pen.lineTo(x - reach, y);
    pen.closePath();
    pen.fillStyle = CALL_COLOURS[call.status];
    pen.strokeStyle = INK;
    pen.lineWidth = 2;
    pen.stroke();
    pen.fill();
    if (reach >= 9) {
      pen.fillStyle = INK;
      pen.font = `700 ${reach}px system-ui, sans-serif`;
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.fillText(String(call.wave || "·"), x, y + 0.5);
    }
    this.drawn.push({ kind: "call", id: call.id, x, y });
  },

  /** The nearest thing drawn within reach of a layer point; calls before technicians. */
  hit({ x, y }) {
    let best = null;
    for (const item of this.drawn) {
      const distance = Math.hypot(item.x - x, item.y - y) - (item.kind === "call" ? 4 : 0);
      if (distance <= HIT_PX && (!best || distance < best.distance)) best = { ...item, distance };
    }
    return best;
  },
});
