// One conversation as its reader has it: messages by their place, holes, marks. Pure; nothing here knows of sockets.
//
// `have` is the last message without a hole before it. What comes further ahead waits until the hole is filled, so a
// thread is only ever added to at its end. Staff see every message and count one by one; others follow `prev_seq`, for
// notes among staff take places they never see.

export const WINDOW = 400; // messages drawn at once; more are slow to draw and nobody reads them together
const EVENTS = new Set(["edit", "recall"]); // messages about messages

export function makeLog(id, { countsAll }) {
  return {
    id,
    countsAll,
    status: "new", // new | loading | ready | failed
    problem: null,
    messages: new Map(), // place → message, edits and recalls among them
    ahead: new Map(), // place → message behind a hole
    order: [], // places of what is shown, rising
    have: 0,
    known: 0, // the furthest place heard of
    hasOlder: false,
    marks: new Map(), // account → {role, read_seq, delivered_seq}
    look: 0, // grows with every change
  };
}

/** A message as REST, sync and facts bring it, in one shape. */
export function shapeMessage(given) {
  return {
    conversation_id: given.conversation_id,
    seq: given.message_seq,
    prev_seq: given.prev_seq,
    sender_id: given.sender_id,
    sender_role: given.sender_role,
    client_id: given.client_id,
    kind: given.kind ?? (given.text === undefined ? "recall" : "edit"),
    is_internal: given.is_internal ?? given.kind === "note",
    text: given.text ?? "",
    data: given.data ?? null,
    file_id: given.file_id ?? null,
    reply_to: given.reply_to ?? null,
    target_seq: given.target_seq ?? null,
    at: Date.parse(given.said_at),
    edited_at: given.edited_at ?? null,
    recalled_at: given.recalled_at ?? null,
  };
}

/** The newest page, newest first: the log begins (anew) with it. */
export function beginLog(log, page, hasOlder) {
  log.messages.clear();
  log.order = [];
  log.have = 0;
  log.hasOlder = hasOlder;
  for (const message of [...page].reverse()) place(log, message);
  log.have = page[0]?.seq ?? 0;
  log.known = Math.max(log.known, log.have);
  log.status = "ready";
  settle(log);
}

/** An older page, newest first. */
export function addOlder(log, page, hasOlder) {
  for (const message of page) if (!log.messages.has(message.seq)) log.messages.set(message.seq, message);
  log.hasOlder = hasOlder;
  log.order = shownPlaces(log);
  log.look++;
}

/** What was missed, as `sync` tells it: no hole between `have` and these. */
export function addMissed(log, messages, last_seq) {
  for (const message of messages) {
    place(log, message);
    log.have = Math.max(log.have, message.seq);
  }
  log.known = Math.max(log.known, last_seq);
  settle(log);
}

/** A message just heard of. Whether it left a hole. */
export function addHeard(log, message) {
  log.known = Math.max(log.known, message.seq);
  if (message.seq <= log.have) {
    place(log, message);
    return false;
  }
  log.ahead.set(message.seq, message);
  settle(log);
  return log.ahead.size > 0;
}

/** Whether something is known to be missing. */
export function hasHole(log) {
  return log.status === "ready" && (log.ahead.size > 0 || log.known > log.have);
}

function follows(log, message) {
  return log.countsAll ? message.seq === log.have + 1 : message.prev_seq <= log.have;
}

/** Take from what waits whatever now follows. */
function settle(log) {
  for (const seq of [...log.ahead.keys()].sort((a, b) => a - b)) {
    const message = log.ahead.get(seq);
    if (seq > log.have && !follows(log, message)) break;
    log.ahead.delete(seq);
    place(log, message);
    log.have = Math.max(log.have, seq);
  }
}

function place(log, message) {
  const known = log.messages.get(message.seq);
  const isNew = !known;
  // A message told again as it was first said does not undo what was made of it since.
  const isOld = known && (known.edited_at || known.recalled_at) && !message.edited_at && !message.recalled_at;
  if (!isOld) log.messages.set(message.seq, { ...known, ...message });
  if (message.kind === "edit") change(log, message, { text: message.text, edited_at: message.at });
  else if (message.kind === "recall") {
    change(log, message, { text: "", data: null, file_id: null, recalled_at: message.at });
  } else if (isNew) {
    if (log.order.length && log.order.at(-1) > message.seq) log.order = shownPlaces(log);
    else log.order.push(message.seq);
  }
  log.look++;
}

function change(log, event, fields) {
  const target = log.messages.get(event.target_seq);
  if (!target || (target.recalled_at && event.kind === "edit")) return;
  log.messages.set(target.seq, { ...target, ...fields });
}

function shownPlaces(log) {
  const shown = [...log.messages.values()].filter(({ kind }) => !EVENTS.has(kind));
  return shown.map(({ seq }) => seq).sort((a, b) => a - b);
}

/** Somebody has read, or got, so far; marks only move forward. */
export function applyMark(log, { reader_id, reader_role, read_seq, delivered_seq }) {
  const before = log.marks.get(reader_id) ?? { role: reader_role, read_seq: 0, delivered_seq: 0 };
  log.marks.set(reader_id, {
    role: reader_role,
    read_seq: Math.max(before.read_seq, read_seq),
    delivered_seq: Math.max(before.delivered_seq, delivered_seq),
  });
  log.look++;
}

/** How far a message of `me` has come to the other side: `read`, `delivered` or `sent`. */
export function reachOf(log, message, me) {
  const isPeople = ({ role }) => role === "customer" || role === "worker";
  const isOtherSide = (mark) => (log.countsAll ? isPeople(mark) : !isPeople(mark) || mark.role !== message.sender_role);
  let reach = "sent";
  for (const [reader, mark] of log.marks) {
    if (reader === me || !isOtherSide(mark)) continue;
    if (mark.read_seq >= message.seq) return "read";
    if (mark.delivered_seq >= message.seq) reach = "delivered";
  }
  return reach;
}

