// A phone with the official client: connects, writes every event as one JSON line, asks what it is told on standard input.
// Arguments: URL, namespace, auth (JSON), transports (comma-separated).
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const [url, namespace, auth, transports] = process.argv.slice(2);
const known = JSON.parse(auth);
const say = (event, body) => console.log(JSON.stringify([event, body ?? null]));

const socket = io(url + namespace, {
  transports: transports.split(","),
  reconnectionDelay: 20,
  reconnectionDelayMax: 50,
  auth: (give) => give(known),
});

socket.on("connect", () => {
  say("connect", { transport: socket.io.engine.transport.name, id: socket.id, recovered: socket.recovered });
});
socket.on("connect_error", (error) => say("connect_error", { message: error.message, data: error.data }));
socket.on("disconnect", (reason) => say("disconnect", { reason, active: socket.active }));
socket.io.on("open", () => socket.io.engine.on("upgrade", (transport) => say("upgrade", { transport: transport.name })));
socket.onAny((event, body) => {
  // After a `ready` that has recovered, the gap up to its seq is still to come: each fact of it moves the place itself.
  const isPlace = Number.isInteger(body?.seq) && !(event === "ready" && body.recovered);
  if (isPlace && !known.recover) [known.since, known.epoch] = [body.seq, body.epoch ?? known.epoch];
  say(event, body);
});

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const [event, body] = JSON.parse(line);
    if (event === "drop") socket.io.engine.close();
    else say(`ack ${event}`, await socket.timeout(3000).emitWithAck(event, body));
  })
  .on("close", () => process.exit(0));
