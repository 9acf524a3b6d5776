// One socket to one namespace: sign in, resume, stay honest about the connection.
//
// Facts have a `seq`; the highest one seen goes back with the next connection (`since`, `epoch`), and the server sends
// what was missed, in order. When it cannot, it says `resync` and the page reads its state over REST. Live messages
// (positions) have no `seq` and are never repeated.
//
// Phases: connecting → live ⇄ reconnecting → lost (still trying); refused: this account may not.

import { io } from "socket.io-client";

import { Problem } from "./api.js";
import { learnClock } from "./clock.js";
import { endSession, freshToken } from "./session.js";
import { makeSignal } from "./ui.js";

const LOST_AFTER_MS = 15_000; // shorter gaps are ordinary in a moving world
const PROBE_MS = 5_000;
const PROBES_MISSED_MAX = 3; // then the connection is taken for dead, before Engine.IO notices by itself
const ACK_MS = 10_000;
const OVER = new Set(["session_revoked", "account_closed", "refresh_reused"]);

export class Link {
  /**
   * `onReady(isResumed)`: connected, ask for what is to be watched; resumed: what was missed follows. `onResync()`: what was missed cannot be had, read the state.
   * `probe()`: a small request to the server; rejects with a Problem.
   */
  constructor(namespace, { onReady, onResync, onFact, onLive, probe }) {
    this.handlers = { onReady, onResync, onFact, onLive, probe };
    this.changes = makeSignal();
    this.phase = "connecting";
    this.since_ms = Date.now(); // when the phase began
    this.reason = null;
    this.trip_ms = null;
    this.heard_ms = 0;
    this.seq = null;
    this.epoch = null;
    this.missed = 0;
    this.timers = new Set();
    this.socket = io(namespace, {
      autoConnect: false,
      forceNew: true, // another socket's connection would keep `retry` from ending this one's back-off
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      reconnectionDelay: 500,
      reconnectionDelayMax: 5_000,
      auth: (give) => void this.credentials().then(give),
    });
    this.listen();
  }

  subscribe(listener) {
    return this.changes.subscribe(listener);
  }

  start() {
    this.socket.connect();
    this.every(PROBE_MS, () => this.probe());
    this.every(1_000, () => this.watchPhase());
    this.wake = () => this.retry();
    this.sleep = () => this.socket.io.engine?.close(); // the browser knows at once what a ping finds out later
    window.addEventListener("online", this.wake);
    window.addEventListener("offline", this.sleep);
  }

  stop() {
    for (const timer of this.timers) clearInterval(timer);
    this.timers.clear();
    window.removeEventListener("online", this.wake);
    window.removeEventListener("offline", this.sleep);
    this.socket.disconnect();
  }

  /** Connect now instead of after the back-off. */
  retry() {
    if (this.socket.connected || this.phase === "refused") return;
    this.socket.disconnect().connect(); // `connect` alone does nothing while the client waits for its next try
  }

  /** Ask with an ack. Throws Problem. */
  async request(name, payload) {
    let answer;
    try {
      answer = await this.socket.timeout(ACK_MS).emitWithAck(name, payload);
    } catch {
      throw new Problem(0, { code: "network" });
    }
    if (answer?.error) throw new Problem(0, answer.error);
    return answer;
  }

  listen() {
    const { socket } = this;
    socket.on("ready", (ready) => this.onReady(ready));
    socket.on("resync", (told) => this.onResync(told));
    socket.on("closing", (told) => (this.farewell = told));
    socket.on("token.expiring", () => void this.renew());
    socket.on("disconnect", (reason) => this.onDisconnect(reason));
    socket.on("connect_error", (error) => void this.onRefusal(error));
    socket.onAny((name, payload) => this.onMessage(name, payload));
  }

  async credentials() {
    // Without network there is no new token either; the old one is sent and the server decides.
    const token = await freshToken().catch(() => null);
    this.asked = performance.now();
    const auth = { token };
    if (this.seq !== null) Object.assign(auth, { since: this.seq, epoch: this.epoch });
    return auth;
  }

  onReady(ready) {
    learnClock(Date.parse(ready.server_time), performance.now() - this.asked);
    const isResumed = this.seq !== null && ready.recovered && ready.epoch === this.epoch;
    this.epoch = ready.epoch;
    if (!isResumed) this.seq = ready.seq;
    this.missed = 0;
    this.enter("live");
    void this.probe();
    this.handlers.onReady(isResumed);
  }

  onResync({ seq, epoch }) {
    this.seq = seq;
    this.epoch = epoch;
    this.handlers.onResync();
  }

  onMessage(name, payload) {
    this.heard_ms = Date.now();
    if (payload === null || typeof payload !== "object") return;
    if (!Number.isInteger(payload.seq) || payload.id === undefined) {
      this.handlers.onLive(name, payload);
      return;
    }
    if (this.seq !== null && payload.seq <= this.seq) return; // told twice, which is allowed; heard once
    this.seq = payload.seq;
    this.handlers.onFact(name, payload);
  }

  onDisconnect(reason) {
    const told = this.farewell;
    this.farewell = null;
    if (told && OVER.has(told.code)) {
      endSession(told.code);
    } else if (told?.code === "forbidden") {
      this.enter("refused", told.code);
    } else {
      this.enter("reconnecting", told?.code ?? reason);
      // The client does not come back by itself when the server has sent it away.
      if (reason === "io server disconnect") setTimeout(() => this.socket.connect(), told?.after_ms ?? 0);
    }
  }

  async onRefusal(error) {
    // `active`: the transport failed and the client tries again by itself. Otherwise the server has said no.
    if (this.socket.active) {
      if (this.phase === "live") this.enter("reconnecting", "network");
      return;
    }
    const code = error.data?.code ?? error.data?.error?.code ?? error.message;
    if (OVER.has(code)) {
      endSession(code);
    } else if (code === "forbidden") {
      this.enter("refused", code);
    } else {
      if (this.phase === "live") this.enter("reconnecting", code);
      if (code.startsWith("token_") || code === "login_required") await freshToken({ force: true }).catch(() => null);
      setTimeout(() => this.socket.connect(), 1_000 + Math.random() * 2_000);
    }
  }

  /** Give the socket a new token before the old one ends. */
  async renew() {
    try {
      const token = await freshToken({ force: true });
      if (token) await this.request("refresh", { token });
    } catch {
      // The server closes the socket when the token ends; reconnecting brings the next one.
    }
  }

  /** Measures the way there and back, and finds dead connections that still look open. */
  async probe() {
    if (this.phase !== "live") return;
    const started = performance.now();
    try {
      await this.handlers.probe();
      this.trip_ms = performance.now() - started;
      this.missed = 0;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status)
        this.missed = 0; // any answer is an answer
      else if (++this.missed >= PROBES_MISSED_MAX && Date.now() - this.heard_ms > PROBE_MS)
        this.socket.io.engine?.close();
    }
    this.changes.emit();
  }

  watchPhase() {
    if (this.phase === "reconnecting" && Date.now() - this.since_ms > LOST_AFTER_MS) this.enter("lost", this.reason);
    if (this.phase === "connecting" && Date.now() - this.since_ms > LOST_AFTER_MS) this.enter("lost", "network");
  }

  enter(phase, reason = null) {
    if (phase === this.phase) return;
    // Lost began when the connection went, not when we gave up hope.
    if (phase !== "lost") this.since_ms = Date.now();
    this.phase = phase;
    this.reason = reason;
    this.changes.emit();
  }

  every(period_ms, task) {
    this.timers.add(setInterval(task, period_ms));
  }
}
