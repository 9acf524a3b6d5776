// The desk as it is now: me, my threads and everybody's, who is here, what is promised until when, what I am offered.
//
// Read over REST after each connection that could not resume, then kept by facts. Facts name threads by id; what they
// do not say (customer, category, counts of the lines) is asked for a moment later, together.

import { Problem } from "../core/api.js";
import { learnClock, serverNow } from "../core/clock.js";
import { Link } from "../core/live.js";
import { askAsMe } from "../core/session.js";
import { makeSignal, perFrame } from "../core/ui.js";
import { Talks } from "../chat/talks.js";
import { Undoable } from "./undoable.js";

const LIVE = "queued,offered,open,pending";
export const SERVED = new Set(["offered", "open", "pending"]);
const WATCHERS = ["supervisor", "admin", "ops", "tenant_supervisor", "tenant_admin"];
const ROWS = 100;
const GATHER_MS = 400; // what facts leave open is read together
const FLOOR_MS = 1_500;
const NAMES_AGAIN_MS = 5_000;

export class Floor {
  constructor(session) {
    this.me = session.account.id;
    this.roles = new Set(session.account.roles);
    this.changes = makeSignal();
    this.changed = perFrame(() => this.changes.emit());
    this.status = "loading"; // loading | ready | failed | denied
    this.problem = null;
    this.agent = null; // me as an agent; null: none
    this.threads = new Map();
    this.agents = new Map();
    this.queues = new Map();
    this.promises = new Map(); // conversation → what is due, first due first
    this.offers = new Map(); // assignment → {conversation_id, expires_at, reason}
    this.cases = new Map();
    this.names = new Map();
    this.unnamed = new Set();
    this.orderNews = makeSignal(); // an order or a payment of it has changed
    this.stale = new Set(); // conversations to read anew
    this.positions = makeSignal(); // of orders that are watched
    this.watched = new Map(); // order → how many here look at its trip
    this.link = new Link("/desk", {
      onReady: (isResumed) => this.onReady(isResumed),
      onResync: () => void this.load(),
      probe: () => this.probe(),
      onFact: (topic, fact) => this.onFact(topic, fact),
      onLive: (name, payload) => this.onLive(name, payload),
    });
    this.talks = new Talks(this.link, { me: this.me, isStaff: true, onStale: (ids) => this.readLater(ids) });
    this.undo = new Undoable(() => this.changed());
    this.link.subscribe(() => {
      if (this.link.phase === "refused") this.enter("denied");
      this.changed();
    });
    this.talks.subscribe(() => this.changes.emit());
  }

  subscribe(listener) {
    return this.changes.subscribe(listener);
  }

  start() {
    this.link.start();
  }

  stop() {
    for (const timer of [this.gathering, this.flooring, this.naming]) clearTimeout(timer);
    this.undo.stop();
    this.talks.stop();
    this.link.stop();
  }

  get isSupervisor() {
    return Boolean(this.agent?.is_supervisor);
  }

  has(...roles) {
    return roles.some((role) => this.roles.has(role));
  }

  enter(status, problem = null) {
    Object.assign(this, { status, problem });
    this.changed();
  }

  again() {
    this.enter("loading");
    if (this.link.phase === "live") void this.load();
    else this.link.retry();
  }

  // The link

  onReady(isResumed) {
    this.talks.onReady();
    for (const order_id of this.watched.keys()) void this.sayWatch(order_id, true);
    void this.watchBoards();
    if (!isResumed || this.status !== "ready") void this.load();
  }

  /** A sign of life of an agent, and the way there and back. Throws Problem. */
  async probe() {
    if (this.agent) {
      const started = performance.now();
      this.learnAgent(await askAsMe("PUT", "/v1/desk/me/presence"));
      return performance.now() - started;
    }
    const started = performance.now();
    const pulse = await askAsMe("GET", "/v1/pulse");
    learnClock(Date.parse(pulse.at), performance.now() - started);
    return null;
  }

  async load() {
    try {
      const nobody = (problem) => {
        if (problem.status === 404 || problem.status === 403) return null;
        throw problem;
      };
      const [agent, threads, rows, floor] = await Promise.all([
        askAsMe("GET", "/v1/desk/me").catch(nobody),
        askAsMe("GET", `/v1/desk/threads?state=${LIVE}&limit=${ROWS}`),
        askAsMe("GET", `/v1/desk/conversations?status=open&limit=${ROWS}`).catch(nobody),
        askAsMe("GET", "/v1/desk/floor"),
      ]);
      this.agent = agent;
      this.threads = new Map(threads.data.map((thread) => [thread.conversation_id, thread]));
      this.learnFloor(floor);
      if (rows) this.talks.learnRows(rows.data);
      void this.talks.dropUnseen();
      this.name(threads.data.map((thread) => thread.customer_id));
      this.enter("ready");
      void this.readCases();
      void this.probe().catch(() => null);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.status === 403) this.enter("denied");
      else if (this.status !== "ready") this.enter("failed", problem);
    }
  }

  async readCases() {
    try {
      const page = await askAsMe("GET", "/v1/admin/cases?state=open,taken&sort=urgency&limit=100");
      this.cases = new Map(page.data.map((one) => [one.id, one]));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem; // the view of cases says so itself
    }
    this.changed();
  }

  onFact(topic, fact) {
    if (topic === "thread.hidden") this.hide(fact.conversation_id);
    else if (topic === "queue.access_changed") void this.load();
    else if (topic.startsWith("thread.")) this.onThread(topic, fact);
    else if (topic.startsWith("promise.")) this.floorLater();
    else if (topic === "agent.changed") {
      const known = this.agents.get(fact.agent_id);
      if (known) this.agents.set(fact.agent_id, { ...known, state: fact.state });
      if (fact.agent_id === this.me && this.agent) this.agent = { ...this.agent, state: fact.state };
      this.floorLater();
    } else if (fact.order_id && !fact.conversation_id) {
      this.orderNews.emit(fact.order_id);
      return;
    } else if (topic.startsWith("case.")) {
      if (fact.subject_kind === "order") this.orderNews.emit(fact.subject_id);
      clearTimeout(this.casing);
      this.casing = setTimeout(() => void this.readCases(), GATHER_MS);
    } else if (!this.talks.onFact(topic, fact)) return;
    this.changed();
  }

  onThread(topic, fact) {
    const known = this.threads.get(fact.conversation_id);
    const { id, seq, at, assignment_id, expires_at, reason, ...thread } = fact;
    if (known && known.version <= fact.version) this.threads.set(fact.conversation_id, { ...known, ...thread });
    if (!known) this.readLater([fact.conversation_id]);
    for (const [key, offer] of this.offers) {
      if (offer.conversation_id === fact.conversation_id) this.offers.delete(key);
    }
    if (topic === "thread.offered" && fact.assignee_id === this.me) {
      this.offers.set(assignment_id, { assignment_id, conversation_id: fact.conversation_id, expires_at, reason });
      this.readLater([fact.conversation_id]);
    }
    this.floorLater();
  }

  /** It is kept to others from now on; who still may see it hears of it anew. */
  hide(conversation_id) {
    this.threads.delete(conversation_id);
    this.promises.delete(conversation_id);
    this.talks.drop(conversation_id);
  }

  onLive(name, payload) {
    if (name === "position") this.positions.emit(payload);
    else if (name === "queue.board") this.learnBoards([payload]);
    else this.talks.onLive(name, payload);
  }

  /** Who watches over lines hears their numbers as they change; watching ends with the connection. */
  async watchBoards() {
    if (!this.has(...WATCHERS)) return;
    const ack = await this.link.request("watch", { what: "board" }).catch(() => null); // the floor is read anyway
    if (ack?.boards) this.learnBoards(ack.boards);
  }

  learnBoards(boards) {
    for (const board of boards) this.queues.set(board.queue_id, { ...this.queues.get(board.queue_id), ...board });
    this.changed();
  }

  // What facts leave open

  readLater(ids) {
    for (const id of ids) this.stale.add(id);
    this.gathering ??= setTimeout(() => void this.readStale(), GATHER_MS);
  }

  async readStale() {
    const ids = [...this.stale].slice(0, 20);
    for (const id of ids) this.stale.delete(id);
    // What cannot be read now is heard of again, or is not for us.
    const nothing = () => null;
    await Promise.all(
      ids.map(async (id) => {
        const [thread] = await Promise.all([
          askAsMe("GET", `/v1/desk/threads/${id}`).catch(nothing),
          this.talks.readRow(id).catch(nothing),
        ]);
        if (thread) this.learnThread(thread);
      }),
    );
    this.gathering = null;
    if (this.stale.size) this.readLater([]);
    this.changed();
  }

  learnThread(thread) {
    const known = this.threads.get(thread.conversation_id);
    if (!known || known.version <= thread.version) this.threads.set(thread.conversation_id, { ...known, ...thread });
    this.name([thread.customer_id]);
    this.changed();
  }

  learnAgent(agent) {
    this.agent = agent;
    this.changed();
  }

  floorLater() {
    this.flooring ??= setTimeout(async () => {
      this.flooring = null;
      const floor = await askAsMe("GET", "/v1/desk/floor").catch(() => null);
      if (floor) this.learnFloor(floor);
    }, FLOOR_MS);
  }

  learnFloor(floor) {
    learnClock(Date.parse(floor.at), 1_000);
    this.agents = new Map(floor.agents.map((agent) => [agent.id, agent]));
    this.queues = new Map(floor.queues.map((queue) => [queue.queue_id, queue]));
    this.promises = new Map();
    for (const due of floor.promises) {
      const known = this.promises.get(due.conversation_id);
      if (known) known.push(due);
      else this.promises.set(due.conversation_id, [due]);
    }
    this.offers = new Map(floor.offers.map((offer) => [offer.assignment_id, offer]));
    const mine = this.agents.get(this.me);
    if (mine && this.agent) this.agent = { ...this.agent, state: mine.state, cap: mine.cap, load: mine.load, over_units: mine.over_units };
    this.changed();
  }

  // Names

  name(ids) {
    for (const id of ids) if (id && !this.names.has(id)) this.unnamed.add(id);
    if (this.unnamed.size) this.naming ??= setTimeout(() => void this.readNames(), 30);
  }

  async readNames() {
    const ids = [...this.unnamed].slice(0, 100);
    const answer = await askAsMe("GET", `/v1/desk/names?ids=${ids.join(",")}`).catch(() => null);
    if (answer) {
      // Who is not in the answer has no name here, and is not asked for again.
      for (const id of ids) this.unnamed.delete(id) && this.names.set(id, { id, name: "", phone_masked: "" });
      for (const one of answer.data) this.names.set(one.id, one);
    }
    this.naming = this.unnamed.size ? setTimeout(() => void this.readNames(), answer ? 0 : NAMES_AGAIN_MS) : null;
    this.changed();
  }

  /** What to call a customer; null while it is not known. */
  customer(id) {
    const found = this.names.get(id);
    if (!found && id) this.name([id]);
    return found?.name || found?.phone_masked || null;
  }

  // Deriving

  /** Of a list of the inbox: threads in the order one works them off. */
  list(name) {
    const all = [...this.threads.values()];
    if (name === "mine" || name === "snoozed") {
      const mine = all.filter((one) => one.assignee_id === this.me && SERVED.has(one.state) && one.state !== "offered");
      if (name === "mine") return mine.filter((one) => !one.snoozed_until).sort((a, b) => this.lastAt(b) - this.lastAt(a));
      return mine.filter((one) => one.snoozed_until).sort((a, b) => Date.parse(a.snoozed_until) - Date.parse(b.snoozed_until));
    }
    if (name === "queue") {
      const waiting = all.filter(({ state }) => state === "queued" || state === "offered");
      return waiting.sort((a, b) => b.priority - a.priority || Date.parse(a.queued_at) - Date.parse(b.queued_at));
    }
    const live = all.filter(({ state }) => state === "queued" || SERVED.has(state));
    return live.sort((a, b) => this.lastAt(b) - this.lastAt(a));
  }

  lastAt(thread) {
    return Date.parse(this.talks.row(thread.conversation_id)?.last_at ?? thread.queued_at);
  }

  unread(thread) {
    return this.talks.row(thread.conversation_id)?.unread ?? 0;
  }

  /** The promise that is due first: {kind, left_ms, due_at, isBroken, warned}, or null. */
  due(conversation_id) {
    const first = this.promises.get(conversation_id)?.[0];
    if (!first) return null;
    const left_ms = Date.parse(first.due_at) - serverNow();
    return { ...first, left_ms, isBroken: first.is_broken || left_ms <= 0 };
  }

  // Verbs: each throws Problem

  async setState(state) {
    this.learnAgent(await askAsMe("PUT", "/v1/desk/me/state", { body: { state } }));
    this.floorLater();
  }

  async answer(assignment_id, verb) {
    const offer = this.offers.get(assignment_id);
    this.offers.delete(assignment_id);
    this.changed();
    try {
      this.learnThread(await this.post(`/v1/desk/assignments/${assignment_id}/${verb}`));
      await this.talks.readRow(offer.conversation_id).catch(() => null);
    } finally {
      this.floorLater();
    }
  }

  async act(conversation_id, verb, body) {
    const thread = await this.post(`/v1/desk/threads/${conversation_id}/${verb}`, body);
    this.learnThread(thread);
    this.floorLater();
    return thread;
  }

  async setSeverity(conversation_id, severity) {
    this.learnThread(await askAsMe("PUT", `/v1/desk/threads/${conversation_id}/severity`, { body: { severity } }));
  }

  /** Put it aside: `{until}` or `{later}`; null takes it up again. */
  async snooze(conversation_id, body) {
    const where = `/v1/desk/threads/${conversation_id}/snooze`;
    this.learnThread(await (body ? askAsMe("PUT", where, { body }) : askAsMe("DELETE", where)));
  }

  post(path, body) {
    return askAsMe("POST", path, { body, key: crypto.randomUUID() });
  }

  /** `listener(position)` of the order's worker while the trip is on, until the way out is called. */
  watch(order_id, listener) {
    const stop = this.positions.subscribe((position) => position.order_id === order_id && listener(position));
    this.watched.set(order_id, (this.watched.get(order_id) ?? 0) + 1);
    void this.sayWatch(order_id, true);
    return () => {
      stop();
      const left = this.watched.get(order_id) - 1;
      this.watched.set(order_id, left);
      if (left > 0) return;
      this.watched.delete(order_id);
      void this.sayWatch(order_id, false);
    };
  }

  async sayWatch(order_id, isOn) {
    if (this.link.phase !== "live") return;
    // Refused or unheard, there is no position, which the map says.
    const ack = await this.link.request(isOn ? "watch" : "unwatch", { what: "order", order_id }).catch(() => null);
    if (ack?.position) this.positions.emit({ order_id, ...ack.position });
  }
}
