// socket.io on Node with ws and bufferutil: node node.mjs PORT [SECRET]. With a secret, `auth.token` is an HS256 token.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { Server } from "socket.io";
import { serveClients } from "./handlers.mjs";

const [port, secret] = process.argv.slice(2);
const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, httpCompression: false });
if (secret) io.use((socket, next) => next(isGenuine(socket.handshake.auth.token) ? undefined : new Error("token")));
serveClients(io);
http.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });

function isGenuine(token) {
  const [head, body, signature] = String(token).split(".");
  const expected = createHmac("sha256", secret).update(`${head}.${body}`).digest();
  const given = Buffer.from(signature ?? "", "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return false;
  return JSON.parse(Buffer.from(body, "base64url")).exp * 1000 > Date.now();
}
