// What every official client can rely on. Each exported function is one check; it gets the client's `Phones`.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

const numbers = (count) => [...Array(count).keys()];

export async function connects(phones) {
  const socket = phones.open();
  const opened = phones.hears(socket.io, "open").then(() => socket.io.engine.transport.name);
  await phones.hears(socket, "connect");
  assert.equal(await opened, phones.first);
  assert.equal(typeof socket.id, "string");
  assert.deepEqual(await phones.ask(socket, "echo", "here"), ["here"]);
}

export async function auth_arrives_whole(phones) {
  const auth = { token: "嘀咚 😀", since: 17, deep: { list: [null, true, 1.5] } };
  assert.deepEqual(await phones.hears(phones.open("/custom", { auth }), "welcome"), [auth]);
}

export async function a_refusal_carries_data(phones) {
  const socket = phones.open("/", { auth: { wish: "refuse" } });
  const [error] = await phones.hears(socket, "connect_error");
  assert.equal(error.message, "forbidden");
  assert.deepEqual(error.data, { error: { code: "forbidden", detail: "嘀咚: not here.", retry: false } });
  assert.equal(socket.connected, false);
}

export async function a_crash_while_connecting_refuses(phones) {
  const socket = phones.open("/", { auth: { wish: "crash" } });
  const [error] = await phones.hears(socket, "connect_error");
  assert.equal(error.message, "internal");
  assert.equal(socket.connected, false);
}

export async function an_unknown_namespace_is_refused_alone(phones) {
  const known = await phones.connected();
  const [error] = await phones.hears(phones.open("/nowhere", { beside: known }), "connect_error");
  assert.equal(error.message, "Invalid namespace");
  assert.deepEqual(await phones.ask(known, "echo", 1), [1]);
}

export async function an_ack_has_every_argument(phones) {
  const args = [1, "二", { three: [3, null] }, false, null];
  assert.deepEqual(await phones.ask(await phones.connected(), "echo", ...args), args);
}

export async function an_ack_may_have_none(phones) {
  assert.deepEqual(await phones.ask(await phones.connected(), "echo"), []);
}

export async function an_unknown_event_is_answered(phones) {
  const [answer] = await phones.ask(await phones.connected(), "fly", {});
  assert.equal(answer.error.code, "unknown_event");
}

export async function an_event_nobody_waits_for_still_fails_aloud(phones) {
  const socket = await phones.connected();
  socket.emit("fly", {});
  const [failure] = await phones.hears(socket, "request.failed");
  assert.deepEqual([failure.event, failure.error.code], ["fly", "unknown_event"]);
}

export async function bytes_go_both_ways(phones) {
  const args = [{ photo: Buffer.from([0, 1, 254, 255]), of: "门" }, Buffer.alloc(70_000, 7), "end"];
  const socket = await phones.connected();
  const back = phones.hears(socket, "back");
  assert.deepEqual(await phones.ask(socket, "emit_back", ...args), args);
  assert.deepEqual(await back, args);
}

export async function two_hundred_events_come_in_order(phones) {
  const socket = phones.open();
  const heard = [];
  const all = phones.wait("200 ticks", (done) => socket.on("tick", (...args) => heard.push(args) === 200 && done()));
  socket.emit("flood", 200);
  await all;
  assert.deepEqual(heard.map(([n]) => n), numbers(200));
  for (const [n, bytes] of heard) assert.equal(n % 3 ? bytes : bytes.readUInt16BE(), n % 3 ? undefined : n);
}

export async function a_burst_arrives_in_order(phones) {
  const [key, acked, socket] = [randomUUID(), [], phones.open()];
  const send = (n) => socket.emit("count", key, n, () => acked.push(n));
  numbers(100).forEach(send); // kept by the client until it is connected, then sent in one go
  await phones.hears(socket, "connect");
  numbers(100).forEach((n) => send(100 + n));
  assert.deepEqual(await phones.ask(socket, "counted", key), [numbers(200)]);
  assert.deepEqual(acked, numbers(200));
}

export async function two_namespaces_share_a_connection(phones) {
  const main = await phones.connected("/");
  const custom = await phones.connected("/custom", { beside: main });
  assert.equal(main.io.engine, custom.io.engine);
  assert.notEqual(main.id, custom.id);
  main.on("back", () => assert.fail("heard in the wrong namespace"));
  const back = phones.hears(custom, "back");
  await phones.ask(custom, "emit_back", "for custom");
  assert.deepEqual(await back, ["for custom"]);
  custom.disconnect();
  assert.deepEqual(await phones.ask(main, "echo", "still here"), ["still here"]);
}

export async function a_client_that_leaves_is_gone_at_once(phones) {
  const [watcher, leaver] = [await phones.connected(), await phones.connected()];
  const sid = leaver.id;
  leaver.disconnect();
  let reason = null;
  while (reason === null) [reason] = await phones.ask(watcher, "farewell", sid);
  assert.match(reason, /^(client disconnect|transport close)$/);
}

export async function a_long_text_comes_back_whole(phones) {
  const text = "嘀咚😀\u2028é".repeat(21_000);
  assert.ok(Buffer.byteLength(text) > 300_000);
  const [back] = await phones.ask(await phones.connected(), "echo", text);
  assert.ok(back === text, `${back?.length} of ${text.length} characters came back`);
}

export async function a_message_beyond_the_limit_ends_the_connection(phones) {
  const socket = await phones.connected();
  const gone = phones.hears(socket, "disconnect");
  socket.emit("echo", "x".repeat(500_000));
  assert.match((await gone)[0], /^transport (close|error)$/);
  await phones.hears(socket, "connect");
  assert.deepEqual(await phones.ask(socket, "echo", "again"), ["again"]);
}

export async function a_kicked_client_stays_away(phones) {
  const socket = await phones.connected();
  const [manager, closed] = [socket.io, phones.hears(socket.io.engine, "close")];
  const cameBack = () => assert.fail("it came back by itself");
  manager.on("reconnect_attempt", cameBack);
  const gone = phones.hears(socket, "disconnect");
  socket.emit("kick");
  assert.equal((await gone)[0], "io server disconnect");
  assert.equal(socket.active, false);
  await closed;
  assert.equal(manager._readyState, "closed");
  socket.connect(); // the application may still decide to
  await phones.hears(socket, "connect");
}

export async function a_kick_from_one_namespace_leaves_the_other(phones) {
  const main = await phones.connected();
  const custom = await phones.connected("/custom", { beside: main });
  const gone = phones.hears(custom, "disconnect");
  custom.emit("kick");
  assert.equal((await gone)[0], "io server disconnect");
  assert.deepEqual(await phones.ask(main, "echo", 1), [1]);
}

export async function a_cut_client_comes_back_and_sends_what_it_kept(phones) {
  const [key, socket] = [randomUUID(), await phones.connected()];
  const [before, gone] = [socket.id, phones.hears(socket, "disconnect")];
  socket.emit("cut");
  assert.match((await gone)[0], /^transport (close|error)$/);
  assert.equal(socket.active, true);
  numbers(30).forEach((n) => socket.emit("count", key, n));
  await phones.hears(socket, "connect");
  assert.notEqual(socket.id, before);
  assert.deepEqual(await phones.ask(socket, "counted", key), [numbers(30)]);
}

export async function a_client_whose_session_is_ended_comes_back(phones) {
  const [other, socket] = [await phones.connected(), await phones.connected()];
  const gone = phones.hears(socket, "disconnect");
  other.emit("hang_up", socket.id);
  assert.match((await gone)[0], /^transport (close|error)$/);
  await phones.hears(socket, "connect");
  assert.deepEqual(await phones.ask(socket, "echo", "again"), ["again"]);
}

export async function a_retried_event_is_acked_once(phones) {
  const key = randomUUID();
  const socket = await phones.connected("/", { retries: 3, ackTimeout: 5_000 });
  const acked = [];
  const all = phones.wait("5 acks", (done) => {
    for (const n of numbers(5)) {
      socket.emit("count_and_cut", key, n, (error) => acked.push([error, n]) === 5 && done());
    }
  });
  await all;
  assert.deepEqual(acked, numbers(5).map((n) => [null, n]));
  const counted = await phones.wait("what was counted", (done) => socket.emit("counted", key, (_, all) => done(all)));
  assert.deepEqual(counted, [0, 1, 2, 2, 3, 4]); // the third was cut, and sent again
}

export async function nothing_is_lost_while_the_transport_moves(phones) {
  const [key, socket, heard] = [randomUUID(), phones.open(), []];
  const moved = phones.hears(socket.io, "open").then(() => phones.hears(socket.io.engine, "upgrade"));
  socket.on("tick", (n) => heard.push(n));
  let [sent, is_moved] = [0, false];
  moved.then(() => (is_moved = true));
  while (!is_moved || sent < 50) {
    socket.emit("count", key, sent++);
    await phones.ask(socket, "flood", 3);
  }
  assert.equal((await moved)[0].name, "websocket");
  assert.deepEqual(await phones.ask(socket, "counted", key), [numbers(sent)]);
  assert.deepEqual(heard, numbers(sent).flatMap(() => numbers(3)));
}

// Of packets as bytes, as the msgpack parser makes them; documented as not supported.
export async function another_parser_is_turned_away(phones) {
  class Encoder {
    encode = (packet) => [Buffer.from(JSON.stringify(packet))];
  }
  class Decoder {
    on() {}
    off() {}
    add() {}
    destroy() {}
  }
  const socket = phones.open("/", { parser: { Encoder, Decoder }, reconnection: false });
  socket.on("connect", () => assert.fail("it was let in"));
  const [reason] = await phones.hears(socket.io, "close");
  assert.match(reason, /^transport (close|error)$/);
}

// Against the hub itself: `given.token` is a technician's.
export async function a_request_that_crashes_is_answered(phones, given) {
  const socket = await phones.connected("/worker", { auth: { token: given.token } });
  const [answer] = await phones.ask(socket, "grab", { call_id: "cal_crash" });
  assert.equal(answer.error.code, "internal");
  const [next] = await phones.ask(socket, "grab", { call_id: "cal_1" });
  assert.equal(next.ok, true);
}
