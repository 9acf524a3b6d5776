// Brings the server's state into the world: snapshot over REST and the ack of `watch`, then facts and positions.
//
// Facts that arrive while a snapshot is being read wait and are folded afterwards: some of them are in the snapshot
// already, but the feed has every later one too, so the world ends where the server is.

import { Problem } from "../core/api.js";
import { serverNow } from "../core/clock.js";
import { Link } from "../core/live.js";
import { askAsMe } from "../core/session.js";
import { makeSignal } from "../core/ui.js";
import { applyFact, applyPositions, makeWorld, replaceCalls, replaceWorkers } from "./world.js";

const CALLS_LIMIT = 100; // per page
const CALLS_PAGES_MAX = 10; // a thousand open calls is more than a map can say
const ENRICH_MS = 1_500; // facts of new calls come in bursts; their details are read together

export class Feed {
  constructor() {
    this.world = makeWorld();
    this.changes = makeSignal();
    this.facts = makeSignal();
    this.status = "loading"; // loading | ready | failed | denied
    this.problem = null;
    this.waiting = null; // facts held back while a snapshot is read
    this.turn = 0;
    this.link = new Link("/desk", {
      onReady: () => void this.watch(),
      onStart: () => void this.load(),
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

  /** Ask for the map: the ack has everybody who is to be seen. */
  async watch() {
    try {
      const seen = await this.link.request("watch", { what: "map" });
      if (seen.workers) replaceWorkers(this.world, seen.workers, performance.now());
      this.changes.emit();
    } catch (problem) {
      this.fail(problem);
    }
  }

  /** Read the open calls; only the newest of several readings counts. */
  async load() {
    const turn = ++this.turn;
    this.waiting ??= [];
    try {
      const calls = await readCalls();
      if (turn !== this.turn) return;
      replaceCalls(this.world, calls);
      this.foldWaiting();
      this.enter("ready");
    } catch (problem) {
      if (turn !== this.turn) return;
      this.foldWaiting();
      this.fail(problem);
    }
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
      void this.load();
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
    if (topic === "call.changed" && this.world.calls.get(fact.call_id)?.service === undefined) this.enrich(fact);
    this.facts.emit(topic, fact);
    this.changes.emit();
  }

  /** A fact says where a call is; the list says what it is about. */
  enrich(fact) {
    if (this.enriching || !this.world.calls.has(fact.call_id)) return;
    this.enriching = setTimeout(async () => {
      this.enriching = null;
      const calls = await readCalls().catch(() => []);
      for (const call of calls) {
        const known = this.world.calls.get(call.id);
        if (known) this.world.calls.set(call.id, { ...call, ...known });
      }
      this.world.version++;
      this.changes.emit();
    }, ENRICH_MS);
  }

  onLive(name, payload) {
    if (name !== "positions") return;
    applyPositions(this.world, payload.workers, performance.now());
    if (payload.rates) this.world.rates = payload.rates;
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
