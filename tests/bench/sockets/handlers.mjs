// What every server of the benchmark does for a client, on Socket.IO for Node or Bun; ours.py and stock.py do the same.
export function serveClients(io) {
  io.on("connection", (socket) => {
    const { room } = socket.handshake.auth;
    socket.join(room);
    socket.on("ask", (body, ack) => ack({ ok: true }));
    for (const name of ["say", "position"])
      socket.on(name, (body, ack) => {
        socket.to(room).emit("said", body);
        ack({ ok: true });
      });
    socket.on("blast", (how, events, text, ack) => blast(io, how, events, text).then(() => ack({ ok: true })));
    socket.on("live", (ms, keys, text, ack) => live(io, ms, keys, text).then(() => ack({ ok: true })));
  });
}

const loopTurn = () => new Promise((done) => setImmediate(done));

async function blast(io, how, events, text) {
  for (let n = 0; n < events; n++) {
    io.emit("news", { n, text });
    if (how === "turn") await loopTurn();
  }
}

/** Every key has a new value each 10 ms; there is no conflation here, so each is an event that may be dropped. */
async function live(io, ms, keys, text) {
  const ends = performance.now() + ms;
  while (performance.now() < ends) {
    const next = performance.now() + 10;
    for (let n = 0; n < keys; n++) io.volatile.emit("news", { n, text });
    await loopTurn();
    await new Promise((done) => setTimeout(done, Math.max(0, next - performance.now())));
  }
}
