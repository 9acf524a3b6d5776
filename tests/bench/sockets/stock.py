"""python-socketio as released, on aiohttp and asyncio, for the socket benchmark. Does what handlers.mjs does.

python -m tests.bench.sockets.stock PORT
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import socketio
from aiohttp import web

OK = {"ok": True}
server = socketio.AsyncServer(async_mode="aiohttp", transports=["websocket"])
rooms: dict[str, str] = {}


@server.event
async def connect(sid: str, _environ: dict[str, Any], auth: dict[str, Any]) -> None:
    rooms[sid] = auth["room"]
    await server.enter_room(sid, auth["room"])


@server.event
async def disconnect(sid: str, _reason: str) -> None:
    rooms.pop(sid, None)


@server.event
async def ask(_sid: str, _body: Any) -> dict[str, bool]:
    return OK


async def relay(sid: str, body: Any) -> dict[str, bool]:
    await server.emit("said", body, room=rooms[sid], skip_sid=sid)
    return OK


server.on("say", relay)
server.on("position", relay)


@server.event
async def blast(_sid: str, how: str, events: int, text: str) -> dict[str, bool]:
    for number in range(events):
        await server.emit("news", {"n": number, "text": text})
        if how == "turn":
            await asyncio.sleep(0)
    return OK


if __name__ == "__main__":
    app = web.Application()
    server.attach(app)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), backlog=4_096, access_log=None, print=None)
