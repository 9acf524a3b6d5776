// What has been begun to write, by conversation. Texts are kept by the server, so that they are there on another device
// and after a reload; pictures and quotes only as long as the page lives.

import { Problem } from "../core/api.js";
import { askAsMe } from "../core/session.js";
import { NO_DRAFT } from "../chat/composer.js";

const SAVE_MS = 1_500;

export class Drafts {
  constructor(floor) {
    this.floor = floor;
    this.all = new Map();
    this.timers = new Map();
    this.isRead = false;
    void this.read();
  }

  /** Those kept before. Those of the page are newer. */
  async read() {
    try {
      const { data } = await askAsMe("GET", "/v1/conversations/drafts");
      for (const kept of data) {
        if (!this.all.has(kept.conversation_id)) this.all.set(kept.conversation_id, { ...NO_DRAFT, text: kept.text });
      }
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem; // those who have none are refused
    }
    this.floor.changed();
  }

  of(id) {
    return this.all.get(id) ?? NO_DRAFT;
  }

  change(id, changes) {
    const before = this.of(id);
    this.all.set(id, { ...before, ...changes });
    if (changes.text !== undefined && changes.text !== before.text && !this.of(id).editing) this.saveLater(id);
    this.floor.changed();
  }

  /** Sent: nothing is left of it; the server forgets its own when the answer is stored. */
  clear(id) {
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
    this.all.set(id, { ...NO_DRAFT, mode: this.of(id).mode });
    this.floor.changed();
  }

  saveLater(id) {
    clearTimeout(this.timers.get(id));
    this.timers.set(id, setTimeout(() => void this.save(id), SAVE_MS));
  }

  async save(id) {
    this.timers.delete(id);
    const { text, mode } = this.of(id);
    if (mode === "note") return; // a note is not an answer begun
    const body = { conversation_id: id, text, base_seq: this.floor.talks.log(id)?.have ?? 0 };
    // What could not be kept is kept with the next letter.
    await this.floor.link.request("draft", body).catch(() => null);
  }

  stop() {
    for (const id of [...this.timers.keys()]) void this.save(id);
    for (const timer of this.timers.values()) clearTimeout(timer);
  }
}
