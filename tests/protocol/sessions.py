"""Sessions written down as what a client says, and a client that plays them and writes down what it hears.

To know when everything a packet brings about has come, the client asks for a namespace that nobody has: the refusal
comes after it, in every state a session can be in but in the middle of a binary packet.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

import aiohttp

from tests.protocol.wire import PATIENCE_S, SEPARATOR, UPGRADE, Polling, Socket, Wire

Packet = str | bytes
Group = tuple[Packet, ...]
Heard = list[list[str]]
"""What came back to each group: packets in one form of JSON and without ids of sessions, statuses, `closed`."""

CLOSED, SILENT = "closed", "silence"
SILENCE_S = 2.0
"""A server that has not answered by then will not."""


@dataclass(frozen=True)
class Script:
    """Groups of packets, each sent at once, and everything it brings about listened to.

    By `upgrade` the first group is posted, and the others are said over the WebSocket that the session moves to.
    """

    carrier: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Request:
    """One HTTP request, and what counts of the answer besides its status."""

    method: str
    query: str
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    shows: str = ""
    """A header, or `body`."""


Session = Script | Request


def over(carrier: str, *groups: Packet | Group) -> Script:
    """A packet alone is a group of one."""
    return Script(carrier, tuple(group if isinstance(group, tuple) else (group,) for group in groups))


async def play(base_url: str, session: Session) -> Heard:
    """Be the client; what was heard."""
    url = f"{base_url}/socket.io/"
    if isinstance(session, Request):
        return [await _ask(url, session)]
    async with Wire.to(url, is_ours=False) as wire:
        if session.carrier == "websocket":
            async with wire.socket_open() as socket:
                return await _over_socket(socket, session.groups)
        polling = await wire.poll_open()
        if session.carrier == "polling":
            return await _over_polling(polling, session.groups)
        heard = await _over_polling(polling, session.groups[:1])
        async with polling.probing() as socket:
            await socket.say(UPGRADE)
            return heard + await _over_socket(socket, session.groups[1:])


async def _ask(url: str, request: Request) -> list[str]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE_S)) as http,
        http.request(request.method, f"{url}?{request.query}", data=request.body, headers=request.headers) as answer,
    ):
        if not request.shows:
            return [str(answer.status)]
        shown = plain(await answer.text()) if request.shows == "body" else answer.headers.get(request.shows, "-")
        return [str(answer.status), shown]


async def _over_socket(socket: Socket, groups: tuple[Group, ...]) -> Heard:
    heard: Heard = []
    for group, mark in zip(groups, count(), strict=False):
        with contextlib.suppress(ConnectionError):  # what it said before it closed can still be read
            await socket.say(*group, f"40/~{mark},")
        heard.append([])
        try:
            async with asyncio.timeout(SILENCE_S):
                while (packet := await socket.hear()) is not None and not _is_mark(packet, mark):
                    heard[-1].append(plain(packet))
        except TimeoutError:
            return [*heard[:-1], [*heard[-1], SILENT]]
        if packet is None:
            return [*heard[:-1], [*heard[-1], CLOSED]]
    return heard


async def _over_polling(polling: Polling, groups: tuple[Group, ...]) -> Heard:
    heard: Heard = []
    for group, mark in zip(groups, count(), strict=False):
        status, _ = await polling.post(SEPARATOR.join(map(_posted, group)))
        heard.append([str(status)])
        await polling.post(f"40/~{mark},")
        packets = [""]
        while not _is_mark(packets[-1], mark):
            try:
                async with asyncio.timeout(SILENCE_S):
                    packets = (await polling.hear()).split(SEPARATOR)
            except (ConnectionError, TimeoutError) as problem:
                return [*heard[:-1], [*heard[-1], CLOSED if isinstance(problem, ConnectionError) else SILENT]]
            heard[-1] += [plain(packet) for packet in packets if not _is_mark(packet, mark)]
    return heard


def _posted(packet: Packet) -> str:
    return packet if isinstance(packet, str) else "b" + base64.b64encode(packet).decode()


def _is_mark(packet: Packet, mark: int) -> bool:
    return isinstance(packet, str) and packet.startswith(f"44/~{mark},")


def plain(packet: Packet) -> str:
    """A packet so that two that mean the same look the same."""
    if isinstance(packet, bytes):
        return "bytes " + packet.hex()
    packet = re.sub(r'"sid": *"[^"]*"', '"sid":"…"', packet)
    head, start, rest = (packet + " ").partition(_first_of(packet))
    if not start.strip():
        return packet
    return head + json.dumps(json.loads(start + rest), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _first_of(packet: str) -> str:
    """The character that begins the JSON in a packet."""
    found = re.search(r'[\[{"]', packet)
    return found[0] if found else " "
