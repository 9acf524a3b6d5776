// All conversations of one reader over one link: rows of lists, logs of what is open, what is on its way, who types.
//
// Facts are folded as they come; what they cannot tell (a hole, a gap of the link, a digest that is further) is asked
// for with `sync`. Pages draw what is here and call the verbs; they never touch the socket.

import { Problem } from "../core/api.js";
import { serverNow } from "../core/clock.js";
import { askAsMe } from "../core/session.js";
import { makeSignal, perFrame } from "../core/ui.js";
import { addHeard, addMissed, addOlder, applyMark, beginLog, hasHole, makeLog, shapeMessage } from "./log.js";
import { Outbox } from "./outbox.js";

const PAGE = 50;
const SYNC_PAUSE_MS = 2_000; // the server answers one every two seconds for long
const MARK_MS = 700; // marks are gathered so long
const TYPING_MS = 5_000;
const TYPING_EVERY_MS = 3_000;
const VIEWING_MS = 15_000;
const VIEWING_EVERY_MS = 10_000;
const SAID = new Set(["message.said", "message.noted", "message.edited", "message.recalled"]);

export class Talks {
  /** `me`: the account; `isStaff`: sees notes and counts every message. `onGone(ids)`: rows to be read anew. */
  constructor(link, { me, isStaff, onStale = () => {} }) {
    Object.assign(this, { link, me, isStaff, onStale });
    this.rows = new Map(); // id → conversation as REST shows it
    this.logs = new Map();
    this.signs = new Map(); // id → {typing: Map, viewing: Map} of account → {role, until}
    this.changes = makeSignal();
    this.changed = perFrame(() => this.changes.emit());
    this.outbox = new Outbox(link, {
      me,
      isLive: () => link.phase === "live",
      onSaid: (item, ack) => this.onSaid(item, ack),
      onChange: () => this.changed(),
    });
    this.marks = new Map(); // id → place to mark as read
    this.syncing = null;
    this.isBehind = false; // a sync is due or under way after a gap
    this.typed = new Map(); // id → when one last said so
    this.timers = new Set([setInterval(() => this.forget(), 1_000)]);
  }

  subscribe(listener) {
    return this.changes.subscribe(listener);
  }

  stop() {
    for (const timer of this.timers) clearInterval(timer);
    clearTimeout(this.marking);
  }

  // The link

  /** After each connection: ask what was missed, then send what waits. */
  onReady() {
    this.outbox.flush();
    this.isBehind = this.logs.size > 0;
    if (this.isBehind) this.sync();
    if (this.viewed) this.sayViewing(true);
  }

  /** Whether the fact was one of these. */
  onFact(topic, fact) {
    if (SAID.has(topic)) this.onMessage(shapeMessage({ is_internal: topic === "message.noted", ...fact }));
    else if (topic === "message.read") this.onMark(fact);
    else if (topic.startsWith("conversation.")) this.onConversation(topic, fact);
    else return false;
    this.changed();
    return true;
  }

  onLive(name, payload) {
    if (name === "digest") this.onDigest(payload.conversations);
    else if (name === "typing" || name === "viewing") this.onSign(name, payload);
  }

  // Reading

  row(id) {
    return this.rows.get(id) ?? null;
  }

  log(id) {
    return this.logs.get(id) ?? null;
  }

  pending(id) {
    return this.outbox.of(id);
  }

  /** Rows as a list brought them. */
  learnRows(rows) {
    for (const row of rows) this.rows.set(row.id, { ...this.rows.get(row.id), ...row, last: row.last && shapeMessage(row.last) });
    this.changed();
  }

  /** It is not for this reader any more: nothing of it stays here. */
  drop(id) {
    this.rows.delete(id);
    this.logs.delete(id);
    this.signs.delete(id);
    this.changed();
  }

  /** Ask for each log that is open whether it is still to be seen. */
  async dropUnseen() {
    const unseen = async (id) => {
      await this.readRow(id).catch((problem) => problem.status === 403 && this.drop(id));
    };
    await Promise.all([...this.logs.keys()].map(unseen));
  }

  /** Read one row. Throws Problem. */
  async readRow(id) {
    const row = await askAsMe("GET", `/v1/conversations/${id}`);
    const known = this.rows.get(id);
    const last = this.logs.get(id)?.messages.get(this.logs.get(id).order.at(-1)) ?? known?.last ?? null;
    this.rows.set(id, { ...known, ...row, unread: row.unread ?? this.unreadOf(id, row.read_seq), last });
    this.changed();
    return row;
  }

  /** Have its log: read it now, or bring it up to date. Never throws; `log.status` says how it went. */
  async open(id) {
    const known = this.logs.get(id);
    if (known?.status === "ready" || known?.status === "loading") {
      if (known.status === "ready") this.sync();
      return;
    }
    const log = known ?? makeLog(id, { countsAll: this.isStaff });
    this.logs.set(id, log);
    log.status = "loading";
    this.changed();
    try {
      const [page, members] = await Promise.all([
        askAsMe("GET", `/v1/conversations/${id}/messages?limit=${PAGE}`),
        askAsMe("GET", `/v1/conversations/${id}/members`),
        this.rows.has(id) ? null : this.readRow(id),
      ]);
      for (const one of members.data) {
        applyMark(log, { ...one, reader_id: one.account_id, reader_role: one.role });
      }
      beginLog(log, page.data.map(shapeMessage), page.has_more);
      if (hasHole(log)) this.sync();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      Object.assign(log, { status: "failed", problem });
    }
    this.changed();
  }

  /** One page more at the beginning. */
  async older(id) {
    const log = this.logs.get(id);
    if (!log?.hasOlder || log.isReadingOlder) return;
    log.isReadingOlder = true;
    this.changed();
    try {
      const first = Math.min(...log.messages.keys());
      const page = await askAsMe("GET", `/v1/conversations/${id}/messages?limit=${PAGE}&before=${first}`);
      addOlder(log, page.data.map(shapeMessage), page.has_more);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem; // it can be asked for again
    }
    log.isReadingOlder = false;
    this.changed();
  }

  /** What is missing of all open logs; asked once for all who ask meanwhile. */
  sync() {
    if (this.syncing) {
      this.isSyncDue = true;
      return;
    }
    this.syncing = this.catchUp().finally(() => {
      setTimeout(() => {
        this.syncing = null;
        if (this.isSyncDue) this.sync();
      }, SYNC_PAUSE_MS);
    });
  }

  async catchUp() {
    this.isSyncDue = false;
    const ready = [...this.logs.values()].filter((log) => log.status === "ready").slice(-100);
    const have = Object.fromEntries(ready.map((log) => [log.id, log.have]));
    try {
      const answer = await this.link.request("sync", { have });
      for (const missed of answer.conversations) {
        const log = this.logs.get(missed.conversation_id);
        if (!log) continue;
        addMissed(log, missed.messages.map(shapeMessage), missed.last_seq);
        this.renewRow(log);
        if (missed.more) this.isSyncDue = true;
      }
      this.isBehind = this.isSyncDue;
      this.onDigest(answer.digest);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.isSyncDue = this.link.phase === "live";
    }
    this.changed();
  }

  // Saying

  /** Say it now or as soon as it can be. `base_seq` and `assign_epoch` of staff are put in here. */
  say(id, body, { isNote = false, file = null } = {}) {
    const log = this.logs.get(id);
    const row = this.rows.get(id);
    const staff = this.isStaff && !isNote ? { base_seq: log?.have ?? 0 } : {};
    if (staff.base_seq !== undefined && row?.assignee_id === this.me) staff.assign_epoch = row.assign_epoch;
    this.outbox.add(id, { ...body, ...staff }, { verb: isNote ? "note" : "say", file });
    this.typed.delete(id);
  }

  /** Throws Problem. */
  async change(id, seq, text) {
    const payload = { conversation_id: id, client_id: crypto.randomUUID(), target_seq: seq };
    const ack = await this.link.request(text === null ? "recall" : "edit", text === null ? payload : { ...payload, text });
    const event = { ...ack, sender_id: this.me, kind: text === null ? "recall" : "edit", text: text ?? "", target_seq: seq };
    this.onMessage(shapeMessage(event));
  }

  /** Everything up to there has been seen here; told a moment later, together. */
  read(id, seq) {
    const row = this.rows.get(id);
    if (!row || row.role === null || seq <= Math.max(row.read_seq, this.marks.get(id) ?? 0)) return;
    this.marks.set(id, seq);
    this.rows.set(id, { ...row, read_seq: seq, unread: this.unreadOf(id, seq) });
    this.marking ??= setTimeout(() => void this.sendMarks(), MARK_MS);
    this.changed();
  }

  async sendMarks() {
    this.marking = null;
    const marks = [...this.marks];
    this.marks.clear();
    for (const [conversation_id, read_seq] of marks) {
      // A mark that is not heard is made again by the next one: they only move forward.
      await this.link.request("read", { conversation_id, read_seq }).catch(() => null);
    }
  }

  typing(id, { isOn = true, isNote = false } = {}) {
    const last = this.typed.get(id) ?? 0;
    if (this.link.phase !== "live" || (isOn ? Date.now() - last < TYPING_EVERY_MS : !last)) return;
    if (isOn) this.typed.set(id, Date.now());
    else this.typed.delete(id);
    const payload = { conversation_id: id, is_on: isOn, ...(this.isStaff ? { is_internal: isNote } : {}) };
    void this.link.request("typing", payload).catch(() => null);
  }

  /** What is open here, for colleagues to see; null: nothing. */
  view(id) {
    if (this.viewed === id) return;
    if (this.viewed) this.sayViewing(false);
    clearInterval(this.viewing);
    this.timers.delete(this.viewing);
    this.viewed = id;
    if (!id) return;
    this.sayViewing(true);
    this.viewing = setInterval(() => this.sayViewing(true), VIEWING_EVERY_MS);
    this.timers.add(this.viewing);
  }

  sayViewing(is_on) {
    if (this.link.phase !== "live") return;
    void this.link.request("viewing", { conversation_id: this.viewed, is_on }).catch(() => null);
  }

  /** Who does this in it now, without me: [{account_id, role}]. */
  who(sign, id) {
    const now = Date.now();
    const found = [...(this.signs.get(id)?.[sign] ?? [])];
    return found.filter(([, { until }]) => until > now).map(([account_id, { role }]) => ({ account_id, role }));
  }

  // Folding

  onMessage(message) {
    const log = this.logs.get(message.conversation_id);
    if (message.client_id && this.outbox.find(message.client_id)) this.outbox.drop(message.client_id);
    if (log?.status === "loading" || log?.status === "failed") log.ahead.set(message.seq, message);
    else if (log && addHeard(log, message)) this.sync();
    const typing = this.signs.get(message.conversation_id)?.typing;
    typing?.delete(this.signKey(message.sender_role, message.sender_id));
    if (!this.isStaff) typing?.delete(message.sender_role); // only staff are told which of staff writes
    this.bumpRow(message);
    this.changed();
  }

  onSaid(item, ack) {
    const body = { kind: item.verb === "note" ? "note" : "text", ...item.body };
    const data = body.place ?? body.card ?? null;
    this.onMessage(
      shapeMessage({ ...body, ...ack, data, sender_id: this.me, sender_role: this.isStaff ? "agent" : "customer" }),
    );
  }

  bumpRow(message) {
    const row = this.rows.get(message.conversation_id);
    if (!row) {
      this.onStale([message.conversation_id]);
      return;
    }
    if (message.seq <= row.last_seq) return;
    const isEvent = message.kind === "edit" || message.kind === "recall";
    const isNews = !isEvent && message.sender_id !== this.me;
    const next = { ...row, last_seq: message.seq, last_at: new Date(message.at).toISOString() };
    if (!isEvent) next.last = message;
    if (isNews) next.unread = Math.min((row.unread ?? 0) + 1, 100);
    this.rows.set(row.id, next);
  }

  /** A row after its log has grown by more than one message. */
  renewRow(log) {
    const row = this.rows.get(log.id);
    const last = log.messages.get(log.order.at(-1));
    if (!row || !last || log.have <= row.last_seq) return;
    const changed = { last, last_seq: log.have, last_at: new Date(last.at).toISOString() };
    this.rows.set(log.id, { ...row, ...changed, unread: this.unreadOf(log.id, row.read_seq) });
  }

  unreadOf(id, read_seq) {
    const log = this.logs.get(id);
    if (log?.status !== "ready") return 0;
    return log.order.filter((seq) => seq > read_seq && log.messages.get(seq).sender_id !== this.me).length;
  }

  onMark(fact) {
    const log = this.logs.get(fact.conversation_id);
    if (log) applyMark(log, fact);
    const row = this.rows.get(fact.conversation_id);
    if (!row || fact.reader_id !== this.me || fact.read_seq <= row.read_seq) return;
    // Read on another device of mine.
    const unread = fact.read_seq >= row.last_seq ? 0 : this.unreadOf(row.id, fact.read_seq);
    this.rows.set(row.id, { ...row, read_seq: fact.read_seq, unread });
  }

  onConversation(topic, fact) {
    const row = this.rows.get(fact.conversation_id);
    if (topic === "conversation.joined" || topic === "conversation.left") {
      const log = this.logs.get(fact.conversation_id);
      if (topic === "conversation.joined" && log && !log.marks.has(fact.account_id)) {
        applyMark(log, { reader_id: fact.account_id, reader_role: fact.role, read_seq: 0, delivered_seq: 0 });
      }
      if (row && fact.account_id === this.me) {
        this.rows.set(row.id, { ...row, role: topic === "conversation.joined" ? fact.role : null });
      }
    }
    if (!row) {
      this.onStale([fact.conversation_id]);
      return;
    }
    const next = { ...this.rows.get(row.id), status: fact.status };
    if (fact.version >= row.version) next.version = fact.version;
    if (topic === "conversation.assigned") {
      if (fact.assign_epoch >= row.assign_epoch) {
        Object.assign(next, { assignee_id: fact.assignee_id, assign_epoch: fact.assign_epoch });
      }
    }
    this.rows.set(row.id, next);
  }

  onDigest(digest) {
    const stale = [];
    for (const [id, last_seq] of Object.entries(digest)) {
      const log = this.logs.get(id);
      if (log) log.known = Math.max(log.known, last_seq);
      if (log && hasHole(log)) this.sync();
      const row = this.rows.get(id);
      if (!row || (!log && row.last_seq < last_seq)) stale.push(id);
    }
    if (stale.length) this.onStale(stale);
  }

  onSign(sign, { conversation_id, role, account_id, is_on }) {
    if (account_id === this.me) return;
    if (!this.signs.has(conversation_id)) this.signs.set(conversation_id, { typing: new Map(), viewing: new Map() });
    const signs = this.signs.get(conversation_id)[sign];
    const key = this.signKey(role, account_id);
    if (is_on) signs.set(key, { role, until: Date.now() + (sign === "typing" ? TYPING_MS : VIEWING_MS) });
    else signs.delete(key);
    this.changed();
  }

  /** People of the other side are told apart by role only. */
  signKey(role, account_id) {
    return role === "customer" || role === "worker" ? role : (account_id ?? role);
  }

  forget() {
    const now = Date.now();
    for (const signs of this.signs.values()) {
      for (const map of [signs.typing, signs.viewing]) {
        for (const [key, { until }] of map) {
          if (until > now) continue;
          map.delete(key);
          this.changed();
        }
      }
    }
  }

  /** Whether a message of mine can still be changed. */
  isFresh(message) {
    return message.sender_id === this.me && !message.recalled_at && serverNow() - message.at < 120_000;
  }
}
