// Keys of the desk. Single letters work only where nothing is being written, and can be switched off altogether.

import { isComposing } from "../chat/composer.js";
import { keep, recall } from "../core/kept.js";

const KEPT = "fieldhub.desk.keys";
const THEN_MS = 1_200; // between the two keys of a pair

/** Key → what it does, in the order the help shows them. Pairs are written with a space. */
export const KEYS = {
  j: "next",
  k: "previous",
  u: "unread",
  Enter: "open",
  r: "reply",
  n: "note",
  "/": "canned",
  a: "take",
  t: "transfer",
  s: "snooze",
  e: "resolve",
  E: "resolve_next",
  x: "select",
  X: "select_to",
  "g i": "go_inbox",
  "g q": "go_queue",
  "g t": "go_tickets",
  "g c": "go_cases",
  "?": "help",
};

export function areKeysOn() {
  return recall(KEPT) !== "off";
}

export function switchKeys(isOn) {
  keep(KEPT, isOn ? null : "off");
}

function isWriting(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable], dialog") !== null;
}

/** `act(name)`: whether it did something. Ctrl+K works everywhere. The way out is returned. */
export function listenKeys(act) {
  let first = null;
  let timer = null;
  const onKey = (event) => {
    if (isComposing(event) || event.defaultPrevented) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      act("palette");
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target) || !areKeysOn()) return;
    if (event.key === "Enter" && event.target.closest("button, a, [role=option], [data-seq], summary")) return;
    const name = KEYS[first ? `${first} ${event.key}` : event.key];
    clearTimeout(timer);
    first = !name && event.key === "g" ? "g" : null;
    if (first) timer = setTimeout(() => (first = null), THEN_MS);
    if (name && act(name)) event.preventDefault();
  };
  window.addEventListener("keydown", onKey);
  return () => window.removeEventListener("keydown", onKey);
}
