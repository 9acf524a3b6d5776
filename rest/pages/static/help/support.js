// Support as one customer has it: conversations, how each stands at the desk, who answers, what is asked about it.
//
// Read over REST at the start and after each gap the link could not mend; then kept by facts. A place in the line is
// told live (`queue.position`) and never repeated: after each connection, and now and then while one waits, it is read.

import { ask, Problem } from "../core/api.js";
import { Link } from "../core/live.js";
import { askAsMe } from "../core/session.js";
import { makeSignal, perFrame } from "../core/ui.js";
import { Talks } from "../chat/talks.js";

const PAGE = 20;
const ORDERS = 5;
const GATHER_MS = 300; // what facts leave open is read together
const LINK_MS = 1_500; // so long the first reading waits for the link, to be read once only
const WAIT_MS = 20_000; // how often the place in the line is read
export const WAITS = new Set(["queued", "offered"]);
export const SERVED = new Set(["open", "pending"]);
export const OVER = new Set(["resolved", "closed"]);

const unlessNone = (problem) => {
  if (problem.status === 404) return null;
  throw problem;
};

export class Support {
  constructor(session) {
    this.me = session.account.id;
    this.changes = makeSignal();
    this.changed = perFrame(() => this.changes.emit());
    this.status = "loading"; // loading | ready | failed | denied
    this.problem = null;
    this.next = null; // cursor of older conversations
    this.standings = new Map(); // conversation → how it stands; null: it is not at the desk
    this.ratings = new Map(); // conversation → the last question, and what was said
    this.names = new Map(); // account → the name it answers under
    this.orders = null; // the latest; null: not read yet
    this.stale = new Set(); // conversations to read anew
    this.link = new Link("/customer", {
      onReady: (isResumed) => this.onReady(isResumed),
      onResync: () => void this.load(),
      probe: () => ask("GET", "/health/live"),
      onFact: (topic, fact) => this.onFact(topic, fact),
      onLive: (name, payload) => this.onLive(name, payload),
    });
    this.talks = new Talks(this.link, { me: this.me, isStaff: false, onStale: (ids) => this.readLater(ids) });
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
    this.first = setTimeout(() => void this.load(), LINK_MS);
    this.waiting = setInterval(() => this.readWaiting(), WAIT_MS);
  }

  stop() {
    for (const timer of [this.first, this.gathering]) clearTimeout(timer);
    clearInterval(this.waiting);
    this.talks.stop();
    this.link.stop();
  }

  enter(status, problem = null) {
    Object.assign(this, { status, problem });
    this.changed();
  }

  again() {
    this.enter("loading");
    this.link.retry();
    void this.load();
  }

  // The link

  onReady(isResumed) {
    clearTimeout(this.first);
    this.talks.onReady();
    if (!isResumed || this.status !== "ready") void this.load();
    else this.readWaiting();
  }

  onFact(topic, fact) {
    if (topic === "support.changed") this.onSupport(fact);
    else if (topic === "rating.asked") this.readLater([fact.conversation_id]);
    else if (topic.startsWith("order.")) this.readOrdersLater();
    else if (this.talks.onFact(topic, fact) && topic.startsWith("conversation.")) this.readLater([fact.conversation_id]);
  }

  onLive(name, payload) {
    if (name === "queue.position") this.onPosition(payload);
    else this.talks.onLive(name, payload);
  }

  onSupport({ conversation_id: id, kind, state, notice, number, agent_name }) {
    const before = this.standings.get(id) ?? {};
    const after = { ...before, conversation_id: id, kind, state, notice, number };
    const isServed = SERVED.has(state);
    after.agent_name = isServed ? (agent_name ?? before.agent_name ?? null) : null;
    after.former = isServed && before.agent_name === after.agent_name ? before.former : (before.agent_name ?? before.former);
    if (!WAITS.has(state)) Object.assign(after, { position: null, back_at: null });
    this.standings.set(id, after);
    this.readLater([id]);
    this.changed();
  }

  onPosition({ conversation_id: id, ...place }) {
    const before = this.standings.get(id);
    if (before?.state !== "queued") return;
    this.standings.set(id, { ...before, ...place });
    this.changed();
  }

  // Reading

  async load() {
    try {
      const [page] = await Promise.all([
        askAsMe("GET", `/v1/conversations?limit=${PAGE}`),
        this.readOrders().catch(() => (this.orders ??= [])), // one can ask without them
      ]);
      await this.learnPage(page);
      this.enter("ready");
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.status === 403) this.enter("denied");
      else if (this.status !== "ready") this.enter("failed", problem);
    }
  }

  /** Older conversations. Throws Problem. */
  async more() {
    await this.learnPage(await askAsMe("GET", `/v1/conversations?limit=${PAGE}&cursor=${encodeURIComponent(this.next)}`));
  }

  async learnPage({ data, next_cursor }) {
    this.next = next_cursor;
    this.talks.learnRows(data);
    const open = data.filter(({ status }) => status === "open");
    await Promise.all(open.map(({ id }) => this.readStanding(id)));
  }

  async readOrders() {
    const { data } = await askAsMe("GET", `/v1/orders?limit=${ORDERS}`);
    this.orders = data;
    this.changed();
  }

  readOrdersLater() {
    clearTimeout(this.ordering);
    this.ordering = setTimeout(() => void this.readOrders().catch(() => null), GATHER_MS);
  }

  /** How it stands, and when it is over what was asked. Throws Problem. */
  async readStanding(id) {
    const found = await askAsMe("GET", `/v1/support/${id}`).catch(unlessNone);
    const before = this.standings.get(id);
    this.standings.set(id, found && { ...found, notice: before?.notice ?? null, former: before?.former ?? null });
    if (found && OVER.has(found.state)) {
      this.ratings.set(id, await askAsMe("GET", `/v1/support/${id}/rating`).catch(unlessNone));
    }
    if (found?.agent_name) await this.readNames(id, found.agent_name);
    this.changed();
  }

  /** Whoever serves now writes under this name. */
  async readNames(id, name) {
    const { data } = await askAsMe("GET", `/v1/conversations/${id}/members`);
    for (const one of data) {
      if (one.role === "agent" && one.left_seq === null) this.names.set(one.account_id, name);
    }
  }

  readWaiting() {
    for (const [id, standing] of this.standings) if (standing && WAITS.has(standing.state)) this.readLater([id]);
  }

  readLater(ids) {
    for (const id of ids) this.stale.add(id);
    this.gathering ??= setTimeout(() => void this.readStale(), GATHER_MS);
  }

  async readStale() {
    this.gathering = null;
    const ids = [...this.stale];
    this.stale.clear();
    for (const id of ids) {
      try {
        if (!this.talks.row(id)) await this.talks.readRow(id);
        await this.readStanding(id);
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem; // the next fact or connection asks again
      }
    }
  }

  // Asking

  /** Ask; where to talk about it. `key`: the same for one form, however often it is sent. Throws Problem. */
  async ask({ category, kind, order_id, text }, key) {
    const body = { category, kind, ...(order_id ? { order_id } : {}) };
    const { conversation_id: id, ...standing } = await askAsMe("POST", "/v1/support", { body, key });
    this.standings.set(id, { ...this.standings.get(id), conversation_id: id, ...standing });
    const row = this.talks.row(id) ?? (await this.talks.readRow(id));
    if (order_id && row.last_seq === 0) this.talks.say(id, { kind: "order_card", card: { kind: "order", id: order_id } });
    if (text) this.talks.say(id, { text });
    return id;
  }

  /** `withdraw`, `reopen` or `ticket`. Throws Problem. */
  async act(id, verb, key) {
    const found = await askAsMe("POST", `/v1/support/${id}/${verb}`, { key });
    this.standings.set(id, { ...this.standings.get(id), notice: null, ...found });
    await this.talks.readRow(id);
    this.changed();
  }

  /** Throws Problem. */
  async rate(id, body, key) {
    this.ratings.set(id, await askAsMe("POST", `/v1/support/${id}/rating`, { body, key }));
    this.readLater([id]);
    this.changed();
  }

  /** Call all of support. Throws Problem. */
  async callHelp(order_id, key) {
    await askAsMe("POST", `/v1/orders/${order_id}/help`, { key });
  }

  /** Conversations, last spoken in first. */
  list() {
    return [...this.talks.rows.values()].sort((a, b) => Date.parse(b.last_at) - Date.parse(a.last_at));
  }

  unread() {
    return this.list().reduce((sum, row) => sum + (row.unread ?? 0), 0);
  }

  orderOf(row) {
    return row?.subject_kind === "order" ? (this.orders ?? []).find(({ id }) => id === row.subject_id) : undefined;
  }
}
