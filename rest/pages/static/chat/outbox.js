// What is said but not stored yet: kept in order, sent one by one, each under one name until it has its place.
//
// An answer that does not come leaves the message waiting: it is sent again, under the same `client_id`, when the link
// is back, and the server takes it once. A refusal stays beside the message with its reason, until the writer decides.
// Texts outlive a reload of the tab; files do not.

import { Problem } from "../core/api.js";
import { askAsMe } from "../core/session.js";

const KEPT = "fieldhub.outbox";
export const NAME_MAX = 120; // of a file
const AGAIN_MS = 3_000; // after an answer that did not come over a link that lives

export class Outbox {
  /** `isLive()`: whether sending makes sense. `onSaid(item, ack)`: it has its place. */
  constructor(link, { me, isLive, onSaid, onChange }) {
    Object.assign(this, { link, me, isLive, onSaid, onChange });
    this.items = this.read(); // {client_id, conversation_id, body, state, problem, at}
    this.busy = new Set(); // conversations with a message under way
  }

  of(conversation_id) {
    return this.items.filter((item) => item.conversation_id === conversation_id);
  }

  find(client_id) {
    return this.items.find((item) => item.client_id === client_id);
  }

  /** `body`: the fields of `say` or `note`; `file`: a picture or document to send first. */
  add(conversation_id, body, { verb = "say", file = null } = {}) {
    const preview = file?.type.startsWith("image/") ? URL.createObjectURL(file) : null;
    const item = { client_id: crypto.randomUUID(), conversation_id, verb, body, file, preview, at: Date.now() };
    this.items.push({ ...item, state: "waiting", problem: null });
    this.keep();
    this.flush();
    return item.client_id;
  }

  /** Try again; `body` changes what is said, for instance what it answers to. */
  retry(client_id, body = {}) {
    const item = this.find(client_id);
    if (!item) return;
    Object.assign(item, { state: "waiting", problem: null, body: { ...item.body, ...body } });
    this.keep();
    this.flush();
  }

  drop(client_id) {
    const item = this.find(client_id);
    if (item?.preview) URL.revokeObjectURL(item.preview);
    this.items = this.items.filter((one) => one !== item);
    this.keep();
  }

  /** Send what waits, the first of each conversation; the next follows when it is done. */
  flush() {
    if (!this.isLive()) return;
    for (const item of this.items) {
      if (item.state !== "waiting" || this.busy.has(item.conversation_id)) continue;
      this.busy.add(item.conversation_id);
      void this.send(item);
    }
  }

  async send(item) {
    item.state = "sending";
    this.onChange();
    try {
      if (item.file && !item.body.file_id) item.body = { ...item.body, file_id: await this.upload(item.file) };
      const { conversation_id, client_id } = item;
      const ack = await this.link.request(item.verb, { conversation_id, client_id, ...item.body });
      this.drop(client_id);
      this.onSaid(item, ack);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.settle(item, problem);
    } finally {
      this.busy.delete(item.conversation_id);
    }
    if (item.state !== "waiting") this.flush();
  }

  async upload(file) {
    const name = file.type.startsWith("image/") ? "" : `&name=${encodeURIComponent(file.name.slice(-NAME_MAX))}`;
    const answer = await askAsMe("POST", `/v1/files?purpose=chat${name}`, { file });
    return answer.id;
  }

  settle(item, problem) {
    if (!this.items.includes(item)) return; // its own fact came first
    const wait_ms = problem.document.retry_after_ms ?? (problem.code === "network" ? AGAIN_MS : null);
    if (wait_ms !== null) {
      item.state = "waiting";
      setTimeout(() => this.flush(), wait_ms);
    } else {
      Object.assign(item, { state: problem.code === "answered_meanwhile" ? "moved" : "failed", problem });
    }
    this.keep();
  }

  read() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEPT)) ?? [];
      return kept.filter((item) => item.me === this.me).map((item) => ({ ...item, state: "waiting", problem: null }));
    } catch {
      return [];
    }
  }

  keep() {
    const kept = this.items.filter((item) => !item.file).map(({ problem, state, ...item }) => ({ ...item, me: this.me }));
    try {
      if (kept.length) sessionStorage.setItem(KEPT, JSON.stringify(kept));
      else sessionStorage.removeItem(KEPT);
    } catch {
      // storage closed: what waits lasts as long as the page
    }
    this.onChange();
  }
}
