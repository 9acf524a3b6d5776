// socket.io on Bun's own WebSocket server: bun bun.mjs PORT.
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";
import { serveClients } from "./handlers.mjs";

const io = new Server();
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);
serveClients(io);
Bun.serve({ port: Number(process.argv[2]), hostname: "127.0.0.1", ...engine.handler() });
