// What calls somebody who looks elsewhere: a short sound, and a notice of the system, for an offer and for a message in
// one's own conversations. Only while nobody looks at the desk, and once however many tabs of it are open.

import { keep, recall } from "../core/kept.js";
import { html, useState } from "../core/ui.js";
import { gistOf } from "../chat/text.js";
import { Dialog } from "./dialog.js";
import { go } from "./place.js";
import { named, short, t } from "./text.js";

const SOUND = "fieldhub.desk.sound"; // on unless switched off
const NOTICES = "fieldhub.desk.notices"; // off until switched on, for it needs a permission
const LOOKED_AT = "fieldhub.desk.looked_at"; // when a tab of the desk was last seen in front
const LOOK_MS = 2_000;
const ONCE_MS = 1_500; // other tabs hear of the same thing within that
const TONES = [
  [660, 0],
  [880, 0.13],
];

export const isSoundOn = () => recall(SOUND) !== "off";
export const areNoticesOn = () => recall(NOTICES) === "on" && globalThis.Notification?.permission === "granted";

let audio = null;

/** Two short tones. Browsers are silent until somebody has touched the page; so are we. */
export function ring() {
  audio ??= new AudioContext();
  void audio.resume();
  for (const [pitch_hz, after_s] of TONES) {
    const at = audio.currentTime + after_s;
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = pitch_hz;
    volume.gain.setValueAtTime(0.0001, at);
    volume.gain.exponentialRampToValueAtTime(0.12, at + 0.015);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.18);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.2);
  }
}

export class Alerts {
  constructor(floor) {
    this.floor = floor;
    this.offers = null; // told of; null: nothing is known yet, and what is there already is no news
    this.heard = new Map(); // conversation → the last place told of
    this.stopListening = floor.subscribe(() => this.look());
    this.looking = setInterval(() => !document.hidden && keep(LOOKED_AT, `${Date.now()}`), LOOK_MS);
  }

  stop() {
    this.stopListening();
    clearInterval(this.looking);
  }

  /** Whether something is new since the last look. */
  look() {
    const { floor } = this;
    if (floor.status !== "ready") return;
    const isFirst = this.offers === null;
    const known = this.offers ?? new Set();
    // Who asks is read a moment after the offer is heard; until then it has not been looked at.
    const asked = [...floor.offers].filter(([, offer]) => this.nameOf(offer.conversation_id));
    this.offers = new Set(isFirst ? floor.offers.keys() : asked.map(([id]) => id));
    for (const [id, offer] of asked) if (!isFirst && !known.has(id)) this.tell(id, offer.conversation_id, { isOffer: true });
    for (const thread of floor.list("mine")) {
      const row = floor.talks.row(thread.conversation_id);
      if (!row?.last) continue;
      const before = this.heard.get(row.id);
      this.heard.set(row.id, row.last_seq);
      const isNews = before !== undefined && row.last_seq > before && row.unread > 0 && row.last.sender_id !== floor.me;
      if (isNews) this.tell(`${row.id}:${row.last_seq}`, row.id);
    }
  }

  nameOf(conversation_id) {
    return this.floor.customer(this.floor.threads.get(conversation_id)?.customer_id);
  }

  tell(what, conversation_id, { isOffer = false } = {}) {
    if (!document.hidden || Date.now() - Number(recall(LOOKED_AT) ?? 0) < LOOK_MS + 500) return;
    const once = () => {
      if (isSoundOn()) ring();
      if (areNoticesOn()) this.show(conversation_id, isOffer);
      return new Promise((done) => setTimeout(done, ONCE_MS));
    };
    if (navigator.locks) void navigator.locks.request(`desk-alert:${what}`, { ifAvailable: true }, (lock) => lock && once());
    else void once();
  }

  show(conversation_id, isOffer) {
    const name = this.nameOf(conversation_id) ?? short(conversation_id);
    const { category } = this.floor.threads.get(conversation_id) ?? {};
    const body = isOffer ? named("category", category) : gistOf(this.floor.talks.row(conversation_id)?.last);
    const notice = new Notification(isOffer ? t("offer_from", { name }) : name, { body, tag: conversation_id });
    notice.onclick = () => {
      window.focus();
      go({ view: "inbox", list: isOffer ? "queue" : "mine", c: conversation_id });
      notice.close();
    };
  }
}

export function AlertSettings({ onClose }) {
  const [, setTurn] = useState(0);
  const again = () => setTurn((turn) => turn + 1);
  const isRefused = globalThis.Notification?.permission === "denied";
  const setSound = ({ target }) => {
    keep(SOUND, target.checked ? "on" : "off");
    if (target.checked) ring();
    again();
  };
  const setNotices = async ({ target }) => {
    keep(NOTICES, target.checked ? "on" : "off");
    if (target.checked) await globalThis.Notification?.requestPermission();
    again();
  };
  return html`<${Dialog} title=${t("alerts")} onClose=${onClose}>
    <p class="muted">${t("alerts_hint")}</p>
    <label class="check"><input type="checkbox" checked=${isSoundOn()} onChange=${setSound} /> ${t("alert_sound")}</label>
    <label class="check"><input type="checkbox" checked=${areNoticesOn()} disabled=${!globalThis.Notification} onChange=${(event) => void setNotices(event)} /> ${t("alert_notices")}</label>
    ${isRefused && html`<p class="note-warn">${t("alert_refused")}</p>`}
  <//>`;
}
