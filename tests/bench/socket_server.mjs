// The reference server for `bench_sockets`, with the same handlers as socket_server.py.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
io.on("connection", (socket) => {
  socket.on("blast", (count, text, ack) => {
    for (let number = 0; number < count; number++) io.emit("news", { n: number, text });
    ack({ ok: true });
  });
  socket.on("ask", (body, ack) => ack({ ok: true }));
});
http.listen(Number(process.argv[2]), "127.0.0.1");
