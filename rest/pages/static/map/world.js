// What the map knows: workers, calls, the last facts. Plain data changed only by the functions here; facts are folded
// in feed order, positions are "latest wins". `version` grows with every change.

export const STALE_MS = 15_000;
export const LOST_MS = 60_000;
export const EVENTS_MAX = 50;
const FORGET_MS = 600_000; // offline technicians and ended calls can be looked at this long

/** The order in which states are listed. */
export const STATES = ["free", "offered", "locked", "booked", "on_the_way", "in_service", "stale", "lost", "offline"];

/** Calls of these states are on the map. */
export const ON_MAP = new Set(["open", "paused", "locked"]);

/** What an order's status says about its worker; every other status says nothing any more. */
const TRIP = { departed: "on_the_way", arrived: "on_the_way", in_service: "in_service" };

export function makeWorld() {
  return {
    workers: new Map(),
    calls: new Map(),
    trips: new Map(),
    offered: new Set(),
    events: [],
    rates: null,
    is_read: false,
    version: 0,
  };
}

function workerOf(world, id) {
  let worker = world.workers.get(id);
  if (!worker) {
    worker = {
      id,
      name: null,
      lat: null,
      lon: null,
      heading: null,
      at: null,
      state: "offline",
      online: false,
      was: null,
    };
    world.workers.set(id, worker);
  }
  return worker;
}

/** Rows `[worker_id, lat, lon, heading, at_ms, state]`; `heard` is the local `performance.now()`. */
export function applyPositions(world, rows, heard, now) {
  for (const [id, lat, lon, heading, at, state] of rows) {
    const worker = workerOf(world, id);
    if (worker.at !== null && at < worker.at) continue; // an older fix that came late
    place(worker, lat, lon, heading, at, heard);
    // A hub that has just started says `online` of everybody: it knows positions, not yet what people do.
    if (state !== "online") setState(worker, state);
  }
  forget(world, now);
  world.version++;
}

function place(worker, lat, lon, heading, at, heard) {
  if (worker.lat !== lat || worker.lon !== lon) move(worker, lat, lon, heard);
  worker.heading = heading ?? worker.heading;
  worker.at = at;
}

function setState(worker, state) {
  worker.state = state;
  worker.online = state !== "offline";
}

/** Everybody online, as GET /v1/workers says; who is not in it is offline, however fresh his position is. */
export function replaceWorkers(world, found, heard, now) {
  const seen = new Set(found.map(({ id }) => id));
  for (const worker of world.workers.values()) if (!seen.has(worker.id)) setState(worker, "offline");
  world.trips.clear();
  for (const one of found) {
    setState(workerOf(world, one.id), one.state);
    const { order } = one;
    if (order && TRIP[order.status]) {
      world.trips.set(one.id, { order_id: order.id, state: TRIP[order.status], status: order.status });
    }
  }
  nameWorkers(world, found, heard);
  world.is_read = true;
  forget(world, now);
  world.version++;
}

/** Names, and positions where none is known yet. What people do is left to the facts, which are newer. */
export function nameWorkers(world, found, heard) {
  for (const { id, display_name, position } of found) {
    const worker = workerOf(world, id);
    worker.name = display_name;
    const at = position ? Date.parse(position.at) : null;
    if (position && (worker.at === null || at > worker.at)) {
      place(worker, position.lat, position.lon, position.heading_deg, at, heard);
    }
  }
  world.version++;
}

/** Details of calls known only from facts; the facts are newer. */
export function detailCalls(world, calls) {
  for (const call of calls) {
    const known = world.calls.get(call.id);
    if (known) world.calls.set(call.id, { ...call, ...known, created_at: call.created_at });
  }
  world.version++;
}

/** Everything the server has open, as GET /v1/calls says. */
export function replaceCalls(world, calls) {
  world.calls = new Map(calls.map((call) => [call.id, call]));
  world.version++;
}

/** What the last minute brought, as GET /v1/pulse says. */
export function applyPulse(world, { offers, grabs, offered }) {
  world.rates = { offers, grabs };
  world.offered = new Set(offered);
  world.version++;
}

/** Fold one fact. */
export function applyFact(world, topic, fact, now) {
  if (topic === "worker.changed") {
    const worker = workerOf(world, fact.worker_id);
    setState(worker, fact.online ? fact.state : "offline");
  } else if (topic === "call.changed") {
    foldCall(world, fact);
  } else if (topic === "order.changed") {
    foldOrder(world, fact);
  }
  world.events.unshift({ seq: fact.seq, at: Date.parse(fact.at), topic, fact });
  world.events.length = Math.min(world.events.length, EVENTS_MAX);
  forget(world, now);
  world.version++;
}

function foldCall(world, fact) {
  const known = world.calls.get(fact.call_id) ?? { id: fact.call_id, created_at: fact.at };
  const { subject_kind, subject_id, status, epoch, wave, ring_m, lon, lat, worker_id } = fact;
  const ended = ON_MAP.has(status) ? null : Date.parse(fact.at);
  const told = { subject_kind, subject_id, status, epoch, wave, ring_m, lon, lat, worker_id, ended };
  world.calls.set(fact.call_id, { ...known, ...told });
}

function foldOrder(world, { order_id, status, worker_id }) {
  for (const [id, trip] of world.trips) if (trip.order_id === order_id) world.trips.delete(id);
  if (worker_id && TRIP[status]) world.trips.set(worker_id, { order_id, state: TRIP[status], status });
}

function forget(world, now) {
  for (const worker of world.workers.values()) {
    if (!worker.online && now - (worker.at ?? 0) > FORGET_MS) world.workers.delete(worker.id);
  }
  for (const call of world.calls.values()) {
    if (call.ended && now - call.ended > FORGET_MS) world.calls.delete(call.id);
  }
}

/** What to show for a worker: its state, or that its position is too old to be believed. */
export function shownState(world, worker, now) {
  if (!worker.online) return "offline";
  if (worker.at === null || now - worker.at > LOST_MS) return "lost";
  if (now - worker.at > STALE_MS) return "stale";
  return doingState(world, worker);
}

/** What a worker is at, however old its position is. */
export function doingState(world, worker) {
  if (!worker.online) return "offline";
  const trip = world.trips.get(worker.id);
  if (trip) return trip.state;
  return worker.state === "free" && world.offered.has(worker.id) ? "offered" : worker.state;
}

/** The counters of the panel and of the legend. */
export function countWorld(world, now) {
  const states = Object.fromEntries(STATES.map((state) => [state, 0]));
  const count = { online: 0, free: 0, in_service: 0, open: 0, locked: 0, states };
  for (const worker of world.workers.values()) {
    states[shownState(world, worker, now)]++;
    if (!worker.online) continue;
    count.online++;
    const doing = doingState(world, worker);
    if (worker.state === "free" && doing !== "on_the_way" && doing !== "in_service") count.free++;
    if (doing === "in_service") count.in_service++;
  }
  for (const call of world.calls.values()) {
    if (call.status === "locked") count.locked++;
    else if (call.status === "open") count.open++;
  }
  return count;
}

// Between two fixes a marker glides: it starts where it is seen and arrives after about the time between the fixes.
const GLIDE_MIN_MS = 250;
const GLIDE_MAX_MS = 2_500;
const JUMP_DEGREES = 0.03; // some 3 km: that was no ride, show it there at once

function move(worker, lat, lon, heard) {
  const isFirst = worker.lat === null;
  const [seen_lat, seen_lon] = isFirst ? [lat, lon] : placeOf(worker, heard);
  const gap = worker.heard == null ? 1_000 : heard - worker.heard;
  const isJump = Math.abs(lat - seen_lat) > JUMP_DEGREES || Math.abs(lon - seen_lon) > JUMP_DEGREES;
  worker.lat = lat;
  worker.lon = lon;
  worker.heard = heard;
  worker.was =
    isFirst || isJump
      ? null
      : {
          lat: seen_lat,
          lon: seen_lon,
          from: heard,
          until: heard + Math.min(Math.max(gap, GLIDE_MIN_MS), GLIDE_MAX_MS),
        };
}

/** Where a worker is drawn at the local instant `at`: `[lat, lon]`. */
export function placeOf(worker, at) {
  const { was } = worker;
  if (!was || at >= was.until) return [worker.lat, worker.lon];
  const part = Math.max(0, at - was.from) / (was.until - was.from);
  return [was.lat + (worker.lat - was.lat) * part, was.lon + (worker.lon - was.lon) * part];
}

/** A name for people, or the short id. */
export function nameOf(world, id, short) {
  return world.workers.get(id)?.name ?? short(id);
}
