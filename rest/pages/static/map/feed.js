// Brings the server's state into the world: everybody online and the open calls over REST, then facts and positions.
//
// The feed of operations is heard from `watch` on, so after each connection the state is read again, whatever the
// connection could resume. Facts that arrive meanwhile wait and are folded afterwards: some of them are in what was
// read already, but every later one follows too, so the world ends where the server is.

import { Problem } from "../core/api.js";
import { learnClock, serverNow } from "../core/clock.js";
import { Link } from "../core/live.js";
import { askAsMe } from "../core/session.js";
import { makeSignal } from "../core/ui.js";
import {
  applyFact,
  applyPositions,
  applyPulse,
  detailCalls,
  makeWorld,
  nameWorkers,
  replaceCalls,
  replaceWorkers,
} from "./world.js";

const CALLS_LIMIT = 100; // per page
const CALLS_PAGES_MAX = 10; // a thousand open calls is more than a map can say
const ENRICH_MS = 500; // news comes in bursts; what it is about is read together
const CALLS_AT_ONCE = 10;
const WORKERS_AT_ONCE = 100;

export class Feed {
  constructor() {
    this.world = makeWorld();
    this.changes = makeSignal();
    this.facts = makeSignal();
    this.status = "loading"; // loading | ready | failed | denied
    this.problem = null;
    this.waiting = null; // facts held back while a snapshot is read
    this.unknown = { calls: new Set(), workers: new Set() };
    this.turn = 0;
    this.link = new Link("/desk", {
      onReady: () => void this.watch(),
      onResync: () => void this.load(),
      probe: () => this.readPulse(),
      onFact: (topic, fact) => this.onFact(topic, fact),
      onLive: (name, payload) => this.onLive(name, payload),
    });
    this.link.subscribe(() => {
      if (this.link.phase === "refused") this.enter("denied");
      this.changes.emit();
    });
  }

  subscribe(listener) {
    return this.changes.subscribe(listener);
  }

  start() {
    this.link.start();
  }

  stop() {
    clearTimeout(this.enriching);
    this.link.stop();
  }

  /** Ask for the map, then read what it begins with. */
  async watch() {
    this.waiting ??= [];
    try {
      await this.link.request("watch", { what: "map" });
    } catch (problem) {
      this.fail(problem);
      return;
    }
    await this.load();
  }

  /** Read the state; only the newest of several readings counts. */
  async load() {
    const turn = ++this.turn;
    this.waiting ??= [];
    try {
      const [field, calls] = await Promise.all([askAsMe("GET", "/v1/workers"), readCalls()]);
      if (turn !== this.turn) return;
      replaceWorkers(this.world, field.data, performance.now(), serverNow());
      replaceCalls(this.world, calls);
      this.foldWaiting();
      this.enter("ready");
    } catch (problem) {
      if (turn !== this.turn) return;
      this.foldWaiting();
      this.fail(problem);
    }
  }

  /** One small question measures the way to the server, its clock and the pulse of the pool. Throws Problem. */
  async readPulse() {
    const started = performance.now();
    const pulse = await askAsMe("GET", "/v1/pulse");
    learnClock(Date.parse(pulse.at), performance.now() - started);
    applyPulse(this.world, pulse);
  }

  foldWaiting() {
    const waiting = this.waiting ?? [];
    this.waiting = null;
    for (const [topic, fact] of waiting) this.onFact(topic, fact);
  }

  fail(problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (problem.status === 403 || problem.code === "forbidden") this.enter("denied");
    else if (this.status !== "ready") this.enter("failed", problem);
  }

  enter(status, problem = null) {
    this.status = status;
    this.problem = problem;
    this.changes.emit();
  }

  again() {
    this.enter("loading");
    if (this.link.phase === "live") {
      void this.watch();
    } else {
      this.link.retry();
    }
  }

  onFact(topic, fact) {
    if (this.waiting) {
      this.waiting.push([topic, fact]);
      return;
    }
    applyFact(this.world, topic, fact, serverNow());
    this.enrich(fact);
    this.facts.emit(topic, fact);
    this.changes.emit();
  }

  /** Facts name things by id; what they are called is asked for a moment later, together. */
  enrich({ call_id, worker_id }) {
    const { calls, workers } = this.world;
    if (calls.get(call_id)?.service === undefined && calls.has(call_id)) this.unknown.calls.add(call_id);
    if (workers.get(worker_id)?.name === null) this.unknown.workers.add(worker_id);
    if (this.unknown.calls.size + this.unknown.workers.size > 0) {
      this.enriching ??= setTimeout(() => void this.readUnknown(), ENRICH_MS);
    }
  }

  async readUnknown() {
    const take = (ids, count) => [...ids].slice(0, count).map((id) => (ids.delete(id), id));
    const [calls, workers] = [take(this.unknown.calls, CALLS_AT_ONCE), take(this.unknown.workers, WORKERS_AT_ONCE)];
    // What cannot be read now stays nameless until it is heard of again.
    const nothing = () => null;
    const [found, ...details] = await Promise.all([
      workers.length ? askAsMe("GET", `/v1/workers?ids=${workers.join(",")}`).catch(nothing) : null,
      ...calls.map((id) => askAsMe("GET", `/v1/calls/${id}`).catch(nothing)),
    ]);
    if (found) nameWorkers(this.world, found.data, performance.now());
    detailCalls(this.world, details.filter(Boolean));
    this.enriching = null;
    this.enrich({});
    this.changes.emit();
  }

  onLive(name, payload) {
    if (name !== "positions") return;
    applyPositions(this.world, payload.workers, performance.now(), serverNow());
    for (const [worker_id] of payload.workers) this.enrich({ worker_id });
    this.changes.emit();
  }
}

async function readCalls() {
  const calls = [];
  let cursor = null;
  for (let page = 0; page < CALLS_PAGES_MAX; page++) {
    const query = new URLSearchParams({ status: "open,paused,locked", limit: String(CALLS_LIMIT) });
    if (cursor) query.set("cursor", cursor);
    const answer = await askAsMe("GET", `/v1/calls?${query}`);
    calls.push(...answer.data);
    if (!answer.has_more) break;
    cursor = answer.next_cursor;
  }
  return calls;
}
