"""Attacks on the socket edge, each over a real socket, with what must come of it.

What is marked `xfail` here is not refused yet; the mark goes when it is. With tests elsewhere they cover:

a  reserved event names
     test_reserved_names_end_the_session_in_every_namespace
     test_reserved_names_end_a_session_that_has_not_joined_too
     test_requests: test_garbage_ends_the_session_and_harms_nobody
b  hearing, or being heard, before or without being admitted
     test_connect: test_nobody_hears_anything_before_being_admitted
     test_a_slow_yes_comes_before_everything_else
     test_what_is_sent_during_admission_never_arrives
     test_what_is_asked_before_the_answer_waits_for_it
     test_one_who_is_refused_is_neither_told_nor_heard
     test_one_who_leaves_while_being_admitted_is_forgotten
     test_one_who_leaves_while_being_refused_is_forgotten
     test_connect: test_one_who_is_cut_off_while_being_admitted_is_forgotten
c  a crash or a hang in admission
     test_connect: test_a_crashing_gate_refuses
     test_a_crash_late_in_admission_leaves_nothing_behind
     test_an_admission_that_hangs_is_a_no
d  attachments
     test_broken_attachments_end_the_session
     test_parts_that_never_come_hold_no_more_than_one_message_may
     test_requests: test_binary_parts_are_counted_and_bounded
e  sockets in no app
     test_sockets_in_no_app_are_closed_although_they_answer_pings
     test_a_socket_that_joined_stays
f  whose address
     test_only_believed_proxies_name_the_address
     test_edge: test_addresses_are_told_apart_behind_a_trusted_proxy
g  garbage
     test_garbage_leaves_at_most_one_line
     test_garbage_polled_leaves_at_most_one_line
     test_broken_websocket_framing_ends_the_session
     test_frames_without_a_mask_end_the_session
     test_frames_that_drip_in_or_come_together_are_the_same_frames
     test_a_post_that_breaks_off_leaves_no_traceback
     test_text_that_no_answer_may_hold_is_refused
     test_names_of_our_making_are_no_namespaces
     test_mutated_frames_leave_a_hub_that_works
     test_requests: test_malformed_bodies_get_an_answer
h  other origins; tokens where they do not belong
     test_connect: test_browsers_of_other_origins_are_refused
     test_polling_from_another_origin_is_refused
     test_no_answer_offers_credentials
     test_a_forged_forwarding_header_makes_no_origin_ours
     test_connect: test_a_token_in_the_query_or_a_cookie_is_not_looked_at
i  polling, and somebody else's session
     test_protocol: test_polling_can_be_switched_off
     test_the_sid_a_client_is_told_opens_no_transport
     test_a_websocket_cannot_be_polled_or_taken_over
     test_sids_cannot_be_guessed_from_one_s_own
     test_two_upgrades_at_once_are_one
     test_a_failed_second_upgrade_does_not_undo_the_first
     test_an_empty_sid_does_not_open_a_closed_door
j  sizes
     test_an_endless_message_ends_the_session
     test_a_client_that_is_not_handled_yet_is_not_read_without_end
     test_a_post_that_says_it_is_huge_is_not_read
     test_a_post_that_never_ends_lasts_no_longer_than_its_session
     test_a_length_that_is_no_number_is_refused
     test_the_limit_counts_bytes
     test_an_attachment_does_not_hide_the_size_of_its_packet
     test_requests: test_an_oversize_payload_gets_an_error
     test_protocol: test_a_bad_post_ends_the_session
k  numbers
     test_numbers_without_a_value_end_the_session
     test_huge_numbers_are_refused_or_read
     test_a_place_in_the_feed_that_cannot_be_is_refused_or_ahead
     test_an_ack_id_of_a_hundred_digits_comes_back_whole
l  tokens that end
     test_tokens: test_a_token_is_announced_then_ends_the_socket
     test_tokens: test_a_refreshed_socket_lives_on
     test_tokens: test_a_socket_cannot_change_hands
     test_tokens: test_refreshing_with_a_bad_token_is_an_error_and_no_more
m  words over Redis that are not ours
     test_facts_arrive_whatever_is_said_over_redis
     test_a_broken_word_over_redis_does_not_deafen_the_hub
     test_impossible_positions_over_redis_are_not_believed
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import inspect
import json
import os
import random
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from logging import WARNING
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest
from aiohttp import WSMsgType

from hub.bus import Moved
from hub.transport import emitter
from hub.transport.emitter import ATTACHMENTS_MAX, RESERVED, Link, event_frame
from rest.edge.machine import Machine
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from storage.redis import FEED_CHANNEL, LIVE_CHANNEL
from tests.hub.test_map import ops, place, rows
from tests.hub.test_protocol import POLL, SOCKET, opened, poll, post
from tests.hub.world import FAST, World, running

ClientSocket = aiohttp.ClientWebSocketResponse
ROLES = {"/worker": ("technician",), "/customer": (), "/desk": ("ops",)}
DAY_S = 86_400
FRAME_BYTES_MAX = 262_144
"""Four times the largest message of the settings; more ends the session."""


class Wire:
    """A raw client: what it is given to send is what goes over the wire."""

    def __init__(self, ws: ClientSocket) -> None:
        self.ws = ws
        self.sid = ""

    async def hello(self) -> None:
        """The server speaks first."""
        self.sid = json.loads((await self.ws.receive_str())[1:])["sid"]

    async def say(self, *frames: str | bytes) -> None:
        """Text and binary frames, until the server has hung up."""
        for frame in frames:
            try:
                await (self.ws.send_bytes(frame) if isinstance(frame, bytes) else self.ws.send_str(frame))
            except ConnectionError:
                return

    async def join(self, namespace: str, **auth: Any) -> None:
        """Join an app and wait for `ready`."""
        await self.say(f"40{namespace}," + json.dumps(auth))
        await self.until(f'42{namespace},["ready"')

    async def until(self, start: str) -> str:
        """The first frame that starts like this."""
        async with asyncio.timeout(3):
            while not (frame := await self.ws.receive_str()).startswith(start):
                pass
        return frame

    async def ended(self, seconds: float = 3) -> list[str]:
        """What still came until the server hung up."""
        heard = []
        async with asyncio.timeout(seconds):
            while (message := await self.ws.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                heard.append(message.data)
        return heard

    async def heard_within(self, seconds: float) -> list[str]:
        """What comes in this time, pings left out."""
        heard = []
        try:
            async with asyncio.timeout(seconds):
                while (message := await self.ws.receive()).type is WSMsgType.TEXT:
                    heard.append(message.data)
        except TimeoutError:
            pass
        return [frame for frame in heard if frame != "2"]


@asynccontextmanager
async def wire(world: World, namespace: str = "") -> AsyncIterator[Wire]:
    """A raw client, in this app if one is named."""
    async with aiohttp.ClientSession(world.url) as http, http.ws_connect(SOCKET) as ws:
        made = Wire(ws)
        await made.hello()
        if namespace:
            await made.join(namespace, token=token(world, namespace))
        yield made


@pytest.fixture
async def http(world: World) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(world.url) as session:
        yield session


def token(world: World, namespace: str) -> str:
    """Of somebody whom this app admits."""
    world.truth.workers["acc_x"] = "wrk_x"
    return world.truth.token("x", *ROLES[namespace], ttl_s=DAY_S)


async def happens(done: Callable[[], bool], seconds: float = 3) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.005)


async def still_serves(world: World) -> None:
    """A fresh client gets in, hears a fact and gets an answer."""
    phone = await world.phone("/customer", {"token": world.truth.token("fresh", ttl_s=DAY_S)})
    await world.ring(1, to="customer:acc_fresh")
    await phone.until(lambda: phone.bells() == [1])
    assert await phone.ask("unwatch", {"order_id": "ord_1"}) == {"ok": True}


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The log lines written since last asked for: ours, and what aiohttp and asyncio complain of."""

    def written() -> list[str]:
        ours = capsys.readouterr().err.splitlines()
        theirs = [f"{record.levelname} {record.getMessage()}" for record in caplog.records if record.levelno >= WARNING]
        caplog.clear()
        return [line for line in ours if line.strip()] + theirs

    return written


def calm(written: list[str]) -> bool:
    """Whether nothing broke: no traceback, and no line that a person must look at."""
    return not any("raceback" in line or '"level":"error"' in line or line.startswith("ERROR ") for line in written)


# a. Reserved names


@pytest.mark.parametrize("namespace", sorted(ROLES))
@pytest.mark.parametrize("name", sorted(RESERVED))
async def test_reserved_names_end_the_session_in_every_namespace(world: World, namespace: str, name: str) -> None:
    for frame in (f'42{namespace},["{name}",{{"REMOTE_USER":"admin"}},{{}}]', f'450-{namespace},1["{name}"]'):
        async with wire(world, namespace) as attacker:
            await attacker.say(frame)
            assert await attacker.ended() == []
    await happens(lambda: world.hub.members == {})


async def test_reserved_names_end_a_session_that_has_not_joined_too(world: World) -> None:
    for frame in ('42["connect",{}]', '42/desk,["disconnect"]', '42/nowhere,["connect_error"]'):
        async with wire(world) as attacker:
            await attacker.say(frame)
            assert await attacker.ended() == []


# b. Not admitted yet


async def test_a_slow_yes_comes_before_everything_else(world: World) -> None:
    world.truth.gate_delay_s = 0.2
    async with wire(world) as phone:
        await phone.say("40/customer," + json.dumps({"token": world.truth.token("c")}))
        await asyncio.sleep(0.05)
        await world.ring(1, to="customer:acc_c")
        heard = await phone.heard_within(1.0)
    assert [frame.partition(",")[0] for frame in heard[:2]] == ["40/customer", "42/customer"]
    assert heard[1].startswith('42/customer,["ready"')
    assert len(heard) == 2  # the bell rang before the answer: it is in the feed for those who say `since`


async def test_what_is_sent_during_admission_never_arrives(world: World) -> None:
    admit = world.hub.admit

    async def talkative(link: Link, auth: object) -> None:
        link.send(event_frame(link.namespace, "secret", b"{}"))
        await admit(link, auth)
        link.send(event_frame(link.namespace, "secret", b"{}"))

    world.hub.admit = talkative  # type: ignore[method-assign,assignment]
    for secret in ("nonsense", token(world, "/customer")):
        async with wire(world) as client:
            await client.say("40/customer," + json.dumps({"token": secret}))
            heard = await client.heard_within(0.15)
        assert heard
        assert "secret" not in "".join(heard)


@pytest.mark.parametrize("is_let_in", [True, False])
async def test_what_is_asked_before_the_answer_waits_for_it(
    world: World, http: aiohttp.ClientSession, is_let_in: bool
) -> None:
    world.truth.gate_delay_s = 0.2
    secret = world.worker() if is_let_in else "nonsense"
    sid = await opened(http)
    assert (await post(http, sid, "40/worker," + json.dumps({"token": secret})))[0] == 200
    assert (await post(http, sid, '42/worker,1["grab",{"call_id":"cal_1"}]'))[0] == 200
    assert world.truth.asked == []
    await happens(lambda: world.truth.asked != [] or not is_let_in)
    await asyncio.sleep(0.3)
    assert len(world.truth.asked) == is_let_in


async def test_one_who_is_refused_is_neither_told_nor_heard(world: World) -> None:
    async with wire(world) as phone:
        await phone.say('40/customer,{"token":"nonsense"}')
        assert '"token_invalid"' in await phone.until("44/customer,")
        await phone.say('42/customer,1["unwatch",{"order_id":"ord_1"}]')
        await world.ring(1, to="customer:acc_c")
        assert await phone.heard_within(0.2) == []
    assert world.hub.members == {}


async def test_one_who_leaves_while_being_admitted_is_forgotten(world: World, http: aiohttp.ClientSession) -> None:
    sid = await left_during_admission(world, http)
    assert await post(http, sid, "1") == (200, "ok")
    await happens(lambda: world.hub.emitter.sessions == 0)
    assert world.hub.members == {}
    assert world.hub.audiences.listeners(["worker:wrk_1"]) == []


async def test_one_who_leaves_while_being_refused_is_forgotten(world: World, http: aiohttp.ClientSession) -> None:
    world.truth.revoked.add("ses_w1")
    sid = await left_during_admission(world, http)
    assert world.hub.members == {}
    assert await post(http, sid, "1") == (200, "ok")


async def left_during_admission(world: World, http: aiohttp.ClientSession) -> str:
    """A session that sent CONNECT, and DISCONNECT in a second POST while the gate was thinking."""
    world.truth.gate_delay_s = 0.1
    sid = await opened(http)
    joining = asyncio.create_task(post(http, sid, "40/worker," + json.dumps({"token": world.worker()})))
    await asyncio.sleep(0.03)
    assert (await post(http, sid, "41/worker,"))[0] == 200
    await joining
    return sid


# c. Admission that breaks


@pytest.mark.parametrize("at_once", [False, True], ids=["asked", "known"])
async def test_a_crash_late_in_admission_leaves_nothing_behind(
    world: World, lines: Callable[[], list[str]], at_once: bool
) -> None:
    async def broken(_account_id: str) -> str | None:
        raise ZeroDivisionError

    def broken_too(_account_id: str) -> str | None:
        raise ZeroDivisionError

    secret = world.worker()
    known = broken_too if at_once else lambda _account_id: None
    world.hub.ports = dataclasses.replace(world.hub.ports, worker_id_of=broken, known_worker_id=known)
    async with wire(world) as phone:
        await phone.say("40/worker," + json.dumps({"token": secret}))
        assert '"internal"' in await phone.until("44/worker,")
        await world.ring(1)
        assert await phone.heard_within(0.1) == []
    assert world.hub.members == {}
    assert [json.loads(line)["event"] for line in lines()] == ["socket.admit_failed"]


async def test_an_admission_that_hangs_is_a_no(
    db: Database, redis: Any, settings: Settings, clock: ManualClock
) -> None:
    hasty = dataclasses.replace(settings, socket_connect_timeout_s=1)
    async with running(db, redis, hasty, clock) as world, wire(world, "/customer") as member, wire(world) as newcomer:
        world.truth.gate_delay_s = 30
        for client in (member, newcomer):
            await client.say("40/worker," + json.dumps({"token": world.worker()}))
        assert '"busy"' in await member.until("44/worker,")
        assert "40/worker," not in "".join(await newcomer.ended())  # in no app at all: hung up on
        await world.ring(1)
        assert await member.heard_within(0.1) == []
        assert [link.namespace for link in linked(world)] == ["/customer"]


def linked(world: World) -> list[Link]:
    return [member.link for member in world.hub.members.values()]


# d. Attachments


def part(number: str) -> str:
    """Where an attachment belongs."""
    return f'{{"_placeholder":true,"num":{number}}}'


TEXT_PART = part('"0"')
BROKEN_ATTACHMENTS: list[list[str | bytes]] = [
    [f'45{ATTACHMENTS_MAX + 1}-/customer,["unwatch",{part("0")}]'],
    ['459999999999-/customer,["unwatch"]'],
    ['4512345678901-/customer,["unwatch"]'],
    [f'421-/customer,["unwatch",{part("0")}]'],
    ["401-/customer,{}"],
    [b"an attachment of nothing"],
    [b""],
    [f'451-/customer,["unwatch",{part("0")}]', '42/customer,["unwatch",{}]'],
    [f'451-/customer,["unwatch",{part("0")}]', "41/customer,"],
    [f'451-/customer,["unwatch",{part("1")}]', b"x"],
    [f'451-/customer,["unwatch",{TEXT_PART}]', b"x"],
    [f'451-/customer,["unwatch",{part("null")}]', b"x"],
    [f"451-/customer,[{part('0')}]", b"unwatch"],
    ["451-/customer,[" + "[" * 990 + part("0") + "]" * 990 + "]", b"x"],
]


@pytest.mark.parametrize("frames", BROKEN_ATTACHMENTS, ids=[str(n) for n in range(len(BROKEN_ATTACHMENTS))])
async def test_broken_attachments_end_the_session(
    world: World, frames: list[str | bytes], lines: Callable[[], list[str]]
) -> None:
    async with wire(world, "/customer") as attacker:
        await attacker.say(*frames)
        assert await attacker.ended() == []
    await happens(lambda: world.hub.members == {})
    written = lines()
    assert calm(written)
    assert len(written) <= 2  # that the protocol was broken, that the socket has left


async def test_parts_that_never_come_are_not_waited_for_without_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emitter, "ATTACHMENTS_WAIT_S", 0.1)
    async with wire(world, "/customer") as dawdler:
        await dawdler.say(f'452-/customer,1["unwatch",{part("0")},{part("1")}]', b"x")
        assert await dawdler.ended() == []


async def test_what_is_asked_before_a_goodbye_is_still_done(world: World) -> None:
    async with wire(world, "/worker") as hasty:
        for n in range(3):
            await hasty.say(f'42/worker,{n}["grab",{{"call_id":"cal_a_moment"}}]')
    await happens(lambda: world.hub.members == {}, 3)
    assert len(world.truth.asked) == 3


async def test_parts_that_never_come_hold_no_more_than_one_message_may(world: World) -> None:
    async with wire(world, "/customer") as patient, wire(world, "/customer") as greedy:
        for attacker in (patient, greedy):
            await attacker.say('4510-/customer,1["unwatch"]', *[b"x" * 29_000] * 9)
        await greedy.say(b"x" * 2_000)
        assert await greedy.ended() == []
        await patient.say("3", b"x")
        assert '"error"' in await patient.until("43/customer,1")


# e. Sockets in no app


@pytest.fixture
async def impatient(db: Database, redis: Any, settings: Settings, clock: ManualClock) -> AsyncIterator[World]:
    """A hub that gives a socket one second to join, and pings often."""
    hasty = dataclasses.replace(settings, socket_connect_timeout_s=1)
    options = dataclasses.replace(FAST, ping_interval_s=0.2, ping_timeout_s=0.2)
    async with running(db, redis, hasty, clock, options=options) as made:
        yield made


async def test_sockets_in_no_app_are_closed_although_they_answer_pings(impatient: World) -> None:
    async def lives(*frames: str) -> float:
        """How long a socket lives that says this and then only answers pings."""
        async with wire(impatient) as client:
            began = asyncio.get_running_loop().time()
            await client.say(*frames)
            while (message := await client.ws.receive()).type is WSMsgType.TEXT:
                if message.data == "2":
                    await client.say("3")
            return asyncio.get_running_loop().time() - began

    join = "40/customer," + json.dumps({"token": impatient.truth.token("c")})
    async with asyncio.timeout(4):
        lives_s = await asyncio.gather(
            lives(),
            lives("40/nowhere,{}", '40/customer,{"token":"x"}'),
            lives(join, "41/customer,"),
            lives('42/customer,["unwatch"]', "43/customer,1[]"),
        )
    assert all(0.9 < seconds < 2 for seconds in lives_s), lives_s


async def test_a_socket_that_joined_stays(impatient: World) -> None:
    async with wire(impatient, "/customer") as client:
        for _ in range(7):
            await client.until("2")
            await client.say("3")
        assert len(impatient.hub.members) == 1


# f. Addresses


@pytest.mark.parametrize(
    ("proxies", "told", "address"),
    [
        ("", None, "127.0.0.1"),
        ("", "6.6.6.6", "127.0.0.1"),
        ("10.0.0.1", "6.6.6.6", "127.0.0.1"),
        ("127.0.0.1", "6.6.6.6", "6.6.6.6"),
        ("127.0.0.1", "1.1.1.1, 6.6.6.6", "6.6.6.6"),
        ("127.0.0.1,10.0.0.1", "1.1.1.1, 6.6.6.6, 10.0.0.1", "6.6.6.6"),
    ],
)
async def test_only_believed_proxies_name_the_address(
    world: World, proxies: str, told: str | None, address: str
) -> None:
    gate: Any = world.truth
    machine = Machine(world.db, dataclasses.replace(world.settings, trusted_proxies=proxies), gate)
    engine: Any = world.hub.emitter.engine
    engine.options = dataclasses.replace(engine.options, address_of=machine.address)
    join = "40/customer," + json.dumps({"token": token(world, "/customer")})
    async with aiohttp.ClientSession(world.url, headers={"X-Forwarded-For": told} if told else {}) as http:
        assert await post(http, await opened(http), join) == (200, "ok")
        async with http.ws_connect(SOCKET) as ws:
            await ws.send_str(join)
            await happens(lambda: len(linked(world)) == 2)
            assert {link.address for link in linked(world)} == {address}


# g. Garbage

GARBAGE = [
    "7",
    "47",
    "47/customer,[]",
    "4\u0667",  # a digit to Python, seven in Arabic
    "4\u00b2",
    "42\u0000",
    "42/customer,[" + "[" * 2_000,
    "42/customer," + '{"a":' * 2_000,
    "42/customer," + "7" * 5_000 + '["unwatch"]',
    '42/customer,["\\ud800"]',
    '42/customer,["unwatch",{"order_id":"\\udfff"}]',
    '42/customer,["unwatch",{"order_id":"\x00"}]',
    '42/customer,["unwatch"]trailing',
    '42/customer,["unwatch"' + "," * 2_000,
    "40/customer,[",
    "2probe",
    "6",
    "0{}",
    "5",
]


@pytest.mark.parametrize("frame", GARBAGE, ids=[str(n) for n in range(len(GARBAGE))])
@pytest.mark.parametrize("namespace", ["", "/customer"], ids=["outside", "inside"])
async def test_garbage_leaves_at_most_one_line(
    world: World, namespace: str, frame: str, lines: Callable[[], list[str]]
) -> None:
    async with wire(world, namespace) as attacker:
        await attacker.say(*[frame] * 20)  # only the first may be looked at
        assert await attacker.ended() == []
    await happens(lambda: world.hub.emitter.sessions == 0)
    written = lines()
    assert calm(written)
    assert len(written) <= 2  # that the protocol was broken, that the socket has left


DOORS = {"straight": "", "by way of aiohttp": "Content-Length: 0\r\n"}
"""Handshakes with anything unusual about them take another way in; what is wrong after them must end there too."""


@asynccontextmanager
async def framing(world: World, door: str = "") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection after the WebSocket handshake, whose frames are made by hand."""
    at = urlsplit(world.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(
        f"GET {SOCKET} HTTP/1.1\r\nHost: {at.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{door}"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in head
    # A deflate context costs 90 KiB and lets a small frame swell a thousandfold.
    assert b"extensions" not in head.lower()
    try:
        yield reader, writer
    finally:
        writer.close()


def framed(payload: bytes, first: int = 0x81) -> bytes:
    """One masked frame; the mask is zero."""
    if len(payload) < 126:
        return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload
    wide = (126, 2) if len(payload) < 65_536 else (127, 8)
    return bytes([first, 0x80 | wide[0]]) + len(payload).to_bytes(wide[1], "big") + bytes(4) + payload


BAD_FRAMING = {
    "a reserved bit": framed(b"3", 0xA1),
    "a compressed frame": framed(b"3", 0xC1),
    "an unknown kind": framed(b"3", 0x83),
    "an unknown control kind": framed(b"", 0x8B),
    "a long ping": framed(b"x" * 126, 0x89),
    "a ping in pieces": framed(b"x", 0x09),
    "a continuation of nothing": framed(b"3", 0x80),
    "a text within a text": framed(b"4", 0x01) + framed(b"3", 0x81),
    "a size below zero": bytes([0x81, 0xFF]) + b"\xff" * 8 + bytes(4),
    "a goodbye of one byte": framed(b"\x03", 0x88),
    "a goodbye with an impossible code": framed(b"\x03\xe7", 0x88),
    "text that is no text": framed(b"42\xff"),
    "half a surrogate": framed(b"4\xed\xa0\x80"),
    "half a letter": framed(b"4\xe4", 0x01) + framed(b"\xb8", 0x80),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=list(DOORS))
@pytest.mark.parametrize("sent", BAD_FRAMING.values(), ids=list(BAD_FRAMING))
async def test_broken_websocket_framing_ends_the_session(
    world: World, door: str, sent: bytes, lines: Callable[[], list[str]]
) -> None:
    async with framing(world, door) as (reader, writer):
        writer.write(sent)
        await asyncio.wait_for(reader.read(), 2)
    await happens(lambda: world.hub.emitter.sessions == 0)
    written = lines()
    assert calm(written)
    assert len(written) <= 1


@pytest.mark.parametrize(
    "door",
    [
        DOORS["straight"],
        pytest.param(
            DOORS["by way of aiohttp"],
            marks=pytest.mark.xfail(strict=True, reason="aiohttp reads frames without a mask"),
        ),
    ],
    ids=list(DOORS),
)
async def test_frames_without_a_mask_end_the_session(world: World, door: str) -> None:
    async with framing(world, door) as (reader, writer):
        writer.write(b"\x81\x013")
        await asyncio.wait_for(reader.read(), 0.5)


async def test_frames_that_drip_in_or_come_together_are_the_same_frames(world: World) -> None:
    join = framed(b"40/customer," + json.dumps({"token": token(world, "/customer")}).encode())
    ask = framed(b"42/custo", 0x01) + framed(b"", 0x00) + framed(b'mer,1["unwatch",{"order_id":"ord_1"}]', 0x80)
    for pieces in ([join + ask], [bytes([byte]) for byte in join + ask]):
        async with framing(world) as (reader, writer):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            assert await asyncio.wait_for(reader.readuntil(b'43/customer,1[{"ok":true}]'), 2)


@pytest.mark.parametrize(
    "body",
    [
        b"9",
        b"4",
        b"\xff\xfe",
        b"4\x00",
        b"b" + b"A" * 5_001,
        b"bAAAA",
        b"47",
        b"2\x1e2",
        b"1\x1e9",  # what follows a CLOSE finds no session
        b"42/customer," + b"[" * 2_000,
    ],
)
async def test_garbage_polled_leaves_at_most_one_line(
    world: World, http: aiohttp.ClientSession, body: bytes, lines: Callable[[], list[str]]
) -> None:
    sid = await opened(http)
    async with http.post(f"{POLL}&sid={sid}", data=body) as answer:
        assert answer.status == 400
    assert (await poll(http, sid))[0] == 400
    written = lines()
    assert calm(written), written
    assert len(written) <= 2  # that the protocol was broken, that the socket has left


async def test_a_post_that_breaks_off_leaves_no_traceback(
    world: World, http: aiohttp.ClientSession, lines: Callable[[], list[str]]
) -> None:
    sid = await opened(http)
    at = urlsplit(world.url)
    _, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(f"POST {POLL}&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n4".encode())
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await asyncio.sleep(0.05)
    assert calm(lines())
    await still_serves(world)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('{"order_id":"a\\u0000b"}', "NUL"),
        ('{"a\\u0000b":1}', "NUL"),
        ('{"order_id":' + "[" * 900 + "]" * 900 + "}", "Nested"),
        ("[" * 900 + "]" * 900, "Nested"),
    ],
    ids=["NUL", "NUL in a name", "deep within", "deep"],
)
async def test_text_that_no_answer_may_hold_is_refused(world: World, body: str, why: str) -> None:
    async with wire(world, "/customer") as client:
        await client.say(f'42/customer,1["unwatch",{body}]')
        answer = json.loads((await client.until("43/customer,1"))[len("43/customer,1") :])[0]
        assert answer["error"]["code"] == "invalid_input"
        assert why in answer["error"]["detail"]


async def test_names_of_our_making_are_no_namespaces(world: World) -> None:
    async with wire(world) as attacker:
        for name in ("/" + "n" * 60_000, "/\x00", "/__proto__", "//customer", "/customer/", "/CUSTOMER"):
            await attacker.say(f"40{name}," + json.dumps({"token": token(world, "/customer")}))
            assert "Invalid namespace" in await attacker.until(f"44{name},")
    assert world.hub.members == {}


# h. Origins and credentials


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_polling_from_another_origin_is_refused(world: World, http: aiohttp.ClientSession, method: str) -> None:
    sid = await opened(http)
    for origin in ("https://evil.example", "null", "file://", world.url + ".evil.example"):
        for path in (POLL, f"{POLL}&sid={sid}"):
            async with http.request(method, path, headers={"Origin": origin}, data=b"1") as answer:
                assert answer.status == 400
                assert not [name for name in answer.headers if name.startswith("Access-Control-Allow-O")]
    assert (await post(http, sid, "3"))[0] == 200  # its session was not touched


async def test_no_answer_offers_credentials(world: World, http: aiohttp.ClientSession) -> None:
    for method in ("GET", "OPTIONS"):
        for origin in (None, world.url, "https://evil.example"):
            headers = {"Origin": origin} if origin else {}
            async with http.request(method, POLL, headers=headers) as answer:
                assert answer.status == (400 if origin == "https://evil.example" else 200)
                assert "Access-Control-Allow-Credentials" not in answer.headers
                assert "Set-Cookie" not in answer.headers
                assert answer.headers.get("Access-Control-Allow-Origin") != "*"


async def test_a_forged_forwarding_header_makes_no_origin_ours(http: aiohttp.ClientSession) -> None:
    forged = {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    async with http.get(POLL, headers=forged) as answer:
        assert answer.status == 400


# i. Somebody else's session


async def test_the_sid_a_client_is_told_opens_no_transport(world: World, http: aiohttp.ClientSession) -> None:
    # The one in the CONNECT answer is shown in logs and to other people; the transport's is the credential.
    async with wire(world) as client:
        await client.say("40/customer," + json.dumps({"token": token(world, "/customer")}))
        told = json.loads((await client.until("40/customer,")).partition(",")[2])["sid"]
        assert told != client.sid
        assert (await poll(http, told))[0] == (await post(http, told, "1"))[0] == 400


async def test_a_websocket_cannot_be_polled_or_taken_over(world: World, http: aiohttp.ClientSession) -> None:
    async with wire(world, "/customer") as client:
        sid = client.sid
        assert (await poll(http, sid))[0] == 400
        assert (await post(http, sid, '42/customer,["unwatch",{}]'))[0] == 400
        async with http.ws_connect(f"{SOCKET}&sid={sid}") as thief:
            assert (await thief.receive()).type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
        await client.say('42/customer,1["unwatch",{"order_id":"ord_1"}]')
        assert await client.until("43/customer,1") == '43/customer,1[{"ok":true}]'


async def test_sids_cannot_be_guessed_from_one_s_own(http: aiohttp.ClientSession) -> None:
    sids = [base64.urlsafe_b64decode(await opened(http)) for _ in range(50)]
    assert len({sid[:6] for sid in sids}) == len({sid[6:12] for sid in sids}) == 50
    assert all(len(sid) >= 12 for sid in sids)


def tasks_of_the_transport() -> list[Any]:
    """What runs in its files, and would hold up the end of the server if nobody woke it."""
    coros = [task.get_coro() for task in asyncio.all_tasks()]
    return [coro for coro in coros if inspect.iscoroutine(coro) and "/hub/transport/" in coro.cr_code.co_filename]


async def test_two_upgrades_at_once_are_one(world: World) -> None:
    async with two_upgrades(world) as (_, _, first, second):
        for ws in (first, second):
            await ws.send_str("5")
        await asyncio.wait_for(Wire(second).ended(), 0.5)
    await happens(lambda: world.hub.emitter.sessions == 0)
    await happens(lambda: tasks_of_the_transport() == [])


async def test_a_failed_second_upgrade_does_not_undo_the_first(world: World) -> None:
    async with two_upgrades(world) as (http, sid, first, second):
        await first.send_str("5")
        await asyncio.sleep(0.03)
        await second.send_str("nonsense")
        await asyncio.sleep(0.03)
        assert (await asyncio.wait_for(poll(http, sid), 0.5))[0] == 400
        assert world.hub.emitter.sessions == 1
    await happens(lambda: tasks_of_the_transport() == [])


@asynccontextmanager
async def two_upgrades(world: World) -> AsyncIterator[tuple[aiohttp.ClientSession, str, ClientSocket, ClientSocket]]:
    """One polling session and two WebSockets that have both asked to take it over."""
    async with aiohttp.ClientSession(world.url, connector=aiohttp.TCPConnector(force_close=True)) as http:
        sid = await opened(http)
        async with http.ws_connect(f"{SOCKET}&sid={sid}") as first, http.ws_connect(f"{SOCKET}&sid={sid}") as second:
            for ws in (first, second):
                await ws.send_str("2probe")
                await asyncio.sleep(0.03)
            yield http, sid, first, second


async def test_an_empty_sid_does_not_open_a_closed_door(world: World, http: aiohttp.ClientSession) -> None:
    world.hub.emitter.stop_accepting()
    for sid in ("", "&sid="):
        async with http.get(POLL + sid) as answer:
            assert answer.status in (400, 503)
    assert world.hub.emitter.sessions == 0


# j. Sizes


@pytest.mark.parametrize("door", DOORS.values(), ids=list(DOORS))
@pytest.mark.parametrize("count", [1, 40])
async def test_an_endless_message_ends_the_session(world: World, door: str, count: int) -> None:
    async with framing(world, door) as (reader, writer):
        piece = b"4" * ((FRAME_BYTES_MAX + 40) // count + 1)
        for n in range(count - 1):
            writer.write(framed(piece, 0x00 if n else 0x01))
        writer.write(framed(piece, 0x00)[:20] if count > 1 else framed(piece, 0x01)[:20])  # its size says enough
        assert b"\x88\x02\x03\xf1" in (await asyncio.wait_for(reader.read(), 2))  # 1009, too big
    await happens(lambda: world.hub.emitter.sessions == 0)


async def test_a_client_that_is_not_handled_yet_is_not_read_without_end(world: World) -> None:
    world.truth.gate_delay_s = 1
    async with framing(world) as (_, writer):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        writer.write(framed(b"40/customer," + json.dumps({"token": token(world, "/customer")}).encode()))
        taken = 0
        try:
            async with asyncio.timeout(0.8):
                while taken < 32_000_000:
                    writer.write(framed(b"4" * 250_000))
                    await writer.drain()
                    taken += 250_000
        except (TimeoutError, ConnectionError):
            pass
        assert taken < 10_000_000  # what the kernel of either side may hold, and little more
        writer.transport.abort()


async def test_a_post_that_says_it_is_huge_is_not_read(world: World, http: aiohttp.ClientSession) -> None:
    sid = await opened(http)
    at = urlsplit(world.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(f"POST {POLL}&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999\r\n\r\n4".encode())
    assert b" 400 " in await asyncio.wait_for(reader.readline(), 2)
    writer.close()


async def test_a_post_that_never_ends_lasts_no_longer_than_its_session(
    world: World, http: aiohttp.ClientSession
) -> None:
    sid = await opened(http)
    at = urlsplit(world.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    try:
        writer.write(f"POST {POLL}&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n4".encode())
        await asyncio.sleep(0.05)
        assert (await post(http, sid, "1"))[0] == 400  # two at once end the session
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 0.5)
    finally:
        writer.close()


@pytest.mark.parametrize("length", ["-1", "1_0", "0x10", "٣", "1e3", ""])
async def test_a_length_that_is_no_number_is_refused(
    world: World, http: aiohttp.ClientSession, length: str, lines: Callable[[], list[str]]
) -> None:
    sid = await opened(http)
    at = urlsplit(world.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(f"POST {POLL}&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n3".encode())
    assert b" 400 " in await asyncio.wait_for(reader.readline(), 2)
    writer.close()
    assert not any(json.loads(line)["level"] == "error" for line in lines() if line.startswith("{"))


def grab(call_id: str) -> str:
    return f'42/worker,1["grab",{{"call_id":"{call_id}"}}]'


async def test_the_limit_counts_bytes(world: World) -> None:
    async with wire(world, "/worker") as client:
        await client.say(grab("\u4e16" * 30_000))  # 90 kB
        assert '"payload_too_large"' in await client.until("43/worker,1")


async def test_an_attachment_does_not_hide_the_size_of_its_packet(world: World) -> None:
    async with wire(world, "/worker") as client:
        await client.say(grab("x" * 100_000).replace("42", "451-", 1), b"x")
        assert '"payload_too_large"' in await client.until("43/worker,1")


# k. Numbers


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1" * 5_000, "1e400", "-1e99999", "0x10", "01", "+1", "1_0", "\u0661"]
)
async def test_numbers_without_a_value_end_the_session(world: World, number: str) -> None:
    async with wire(world, "/worker") as attacker:
        await attacker.say(f'42/worker,1["position",[1,{number},37.5,121.4]]')
        assert await attacker.ended() == []


HUGE = ["1" * 300, "-" + "9" * 300, "1e308", "0." + "1" * 5_000, "1e-5000", str(2**64 - 1), str(-(2**63))]


@pytest.mark.parametrize("place_of_number", range(7))
async def test_huge_numbers_are_refused_or_read(world: World, place_of_number: int) -> None:
    async with wire(world, "/worker") as client:
        for n, number in enumerate(HUGE):
            world.clock.advance(seconds=1)
            row = [str(n), str(round(world.clock.now().timestamp() * 1000)), "37.5", "121.4", "10", "8", "270"]
            row[place_of_number] = number
            await client.say(f'42/worker,{n}["position",[{",".join(row)}]]')
            answer = json.loads((await client.until(f"43/worker,{n}["))[len(f"43/worker,{n}") :])[0]
            assert answer.get("ok") is True or answer["error"]["code"] in ("fix_invalid", "position_invalid"), answer


@pytest.mark.parametrize("since", ["9" * 300, str(2**64 - 1), str(2**63), "1e308", "-1", "0.5", "true"])
async def test_a_place_in_the_feed_that_cannot_be_is_refused_or_ahead(
    world: World, since: str, lines: Callable[[], list[str]]
) -> None:
    async with wire(world) as client:
        await client.say(f'40/customer,{{"token":"{token(world, "/customer")}","since":{since}}}')
        heard = "".join(await client.heard_within(0.15))
    assert ('["resync"' in heard) != ('"invalid_input"' in heard), heard
    assert calm(lines())


async def test_an_ack_id_of_a_hundred_digits_comes_back_whole(world: World) -> None:
    async with wire(world, "/customer") as client:
        await client.say("42/customer," + "9" * 100 + '["unwatch",{"order_id":"ord_1"}]')
        assert await client.until("43") == "43/customer," + "9" * 100 + '[{"ok":true}]'
        await client.say("42/customer," + "9" * 101 + '["unwatch",{"order_id":"ord_1"}]')
        assert await client.ended() == []


# m. Words over Redis that are not ours

BROKEN_WORDS = [
    b"",
    b"\xff\xfe",
    b"{",
    b'{"sender":"hub_z"}',
    b"null",
    b"\x00" * 1_000,
    b"\xdd\xff\xff\xff\xff",  # an array of four thousand million
    b"\x91" * 5_000,  # arrays within arrays
    msgspec.msgpack.encode(["hub_z", [["wrk_1"]]]),
    msgspec.msgpack.encode(["hub_z", [["wrk_1", "now", 121.4, 37.5]]]),
    msgspec.msgpack.encode([None, None]),
    b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x8c\x06getpid\x93)R.",  # a pickle, which nobody may open
]


async def test_facts_arrive_whatever_is_said_over_redis(world: World) -> None:
    phone = await world.worker_phone()
    await asyncio.sleep(0.2)  # until Redis is heard
    for n, word in enumerate(BROKEN_WORDS):
        await world.redis.publish(LIVE_CHANNEL, word)
        await world.redis.publish(FEED_CHANNEL, word)
        await world.ring(n)
        await phone.until(lambda n=n: phone.bells() == list(range(n + 1)))  # type: ignore[misc]
    assert not phone.is_gone.is_set()


async def test_a_broken_word_over_redis_does_not_deafen_the_hub(world: World) -> None:
    await ops(world)  # only an open map hears everybody's positions
    at_ms = round(world.clock.now().timestamp() * 1000)
    for word in BROKEN_WORDS:
        while not await world.redis.publish(LIVE_CHANNEL, word):
            await asyncio.sleep(0.01)
    await world.redis.publish(LIVE_CHANNEL, msgspec.msgpack.encode(("hub_z", [Moved("wrk_1", at_ms, 121.4, 37.5)])))
    await happens(lambda: "wrk_1" in world.hub.map._rows, 0.5)


@pytest.mark.parametrize(
    "impossible",
    [
        (2**62, 121.4, 37.5),
        (-(2**62), 121.4, 37.5),
        (None, float("nan"), 37.5),
        (None, 121.4, 1e308),
    ],
    ids=["far future", "far past", "no number", "nowhere"],
)
async def test_impossible_positions_over_redis_are_not_believed(
    world: World, impossible: tuple[int | None, float, float], lines: Callable[[], list[str]]
) -> None:
    viewer = await ops(world)
    await asyncio.sleep(0.2)  # until Redis is heard
    now_ms = round(world.clock.now().timestamp() * 1000)
    at_ms, lon, lat = impossible
    moves = [Moved("wrk_1", at_ms or now_ms, lon, lat)]
    await world.redis.publish(LIVE_CHANNEL, msgspec.msgpack.encode(("hub_z", moves)))
    await asyncio.sleep(0.1)
    world.clock.advance(seconds=1)
    await asyncio.sleep(0.1)
    place(world, "wrk_1", lon=121.5)
    world.clock.advance(seconds=1)
    await viewer.until(lambda: bool(rows(viewer)) and rows(viewer)[-1][2] == 121.5, 1)
    assert [row[1:3] for row in rows(viewer)] == [[37.5, 121.5]]
    assert calm(lines())


# Frames that are almost right

FRAMES_MAX = 2_000
SEED = int(os.environ.get("FIELDHUB_FUZZ_SEED", "20260105"))
VALID = [
    "3", "40/customer,%AUTH%", "40/worker,%AUTH%", "40/desk,%AUTH%", "41/customer,", "42/nowhere,[]",
    '42/customer,1["unwatch",{"order_id":"ord_1"}]', '42/customer,["watch",{"order_id":"ord_1"}]',
    '42/customer,12["refresh",{"token":"x"}]', '42/worker,3["grab",{"call_id":"cal_1"}]',
    '42/worker,4["position",[1,1767578400000,37.5,121.4,10,8,270]]', '42/desk,5["watch",{"what":"map"}]',
    '451-/customer,6["unwatch",{"_placeholder":true,"num":0}]',
    '452-/worker,["position",{"_placeholder":true,"num":1}]',
    '43/customer,1[{"ok":true}]', "461-/customer,7[]",
]  # fmt: skip


class Mutator:
    """Frames that were valid once."""

    def __init__(self, seed: int, auth: str) -> None:
        self._random = random.Random(seed)
        self._auth = auth

    def frame(self) -> bytes:
        raw = self._random.choice(VALID).replace("%AUTH%", self._auth).encode()
        for _ in range(self._random.choice((0, 1, 1, 1, 1, 1, 2, 3))):
            raw = self._random.choice((self._flip, self._cut, self._double, self._blow, self._splice, self._insert))(
                raw
            )
        return raw

    def is_binary(self) -> bool:
        return self._random.random() < 0.03

    def batch(self) -> list[bytes]:
        return [self.frame() for _ in range(self._random.choice((1, 1, 2)))]

    def _at(self, raw: bytes) -> int:
        return self._random.randrange(len(raw) + 1)

    def _flip(self, raw: bytes) -> bytes:
        at = self._at(raw)
        return raw[:at] + bytes(byte ^ (1 << self._random.randrange(8)) for byte in raw[at : at + 1]) + raw[at + 1 :]

    def _cut(self, raw: bytes) -> bytes:
        return raw[: self._at(raw)] if self._random.random() < 0.5 else raw[self._at(raw) :]

    def _double(self, raw: bytes) -> bytes:
        marks = [at for at, byte in enumerate(raw) if byte in b'/,-[]{}":'] or [0]
        at = self._random.choice(marks)
        return raw[:at] + raw[at : at + 1] * self._random.choice((2, 3, 900)) + raw[at + 1 :]

    def _blow(self, raw: bytes) -> bytes:
        digits = [at for at, byte in enumerate(raw) if byte in b"0123456789"] or [0]
        at = self._random.choice(digits)
        return (
            raw[:at] + self._random.choice((b"9" * 20, b"9" * 20, b"9" * 400, b"-1", b"1e999", b"0.0")) + raw[at + 1 :]
        )

    def _splice(self, raw: bytes) -> bytes:
        return raw[: self._at(raw)] + self._random.choice(VALID).encode()[self._random.randrange(8) :]

    def _insert(self, raw: bytes) -> bytes:
        at = self._at(raw)
        odd = (b"\x00", b"\x1e", b"\xc2\xb2", b"\xd9\xa3", b"\xff", b"\\ud800", b"[" * 300, b"null", b'{"":', b"?")
        return raw[:at] + self._random.choice(odd) + raw[at:]


async def test_mutated_frames_leave_a_hub_that_works(world: World, lines: Callable[[], list[str]]) -> None:
    world.truth.workers["acc_x"] = "wrk_x"
    secret = world.truth.token("x", "technician", "ops", ttl_s=DAY_S)
    mutator = Mutator(SEED, json.dumps({"token": secret}))
    sent, survived, ended = 0, 0, 0
    async with aiohttp.ClientSession(world.url) as session, asyncio.timeout(90):
        while sent < FRAMES_MAX:
            batches = [mutator.batch() for _ in range(4)]
            lived = await asyncio.gather(
                *(attack(session, batch, mutator, "/customer" if n else "", secret) for n, batch in enumerate(batches))
            )
            sent += sum(map(len, batches))
            survived, ended = survived + lived.count(True), ended + lived.count(False)
            world.clock.advance(seconds=10)  # so that rate limits do not keep frames from what they may break
    await happens(lambda: world.hub.emitter.sessions == 0)
    assert world.hub.members == {}
    written = lines()
    assert calm(written), [line for line in written if not calm([line])][:3]
    assert len(written) <= sent
    assert min(survived, ended) > 20, "frames too broken, or not broken enough, to try anything"
    await still_serves(world)


async def attack(
    session: aiohttp.ClientSession, frames: list[bytes], mutator: Mutator, namespace: str, secret: str
) -> bool:
    """Send the frames over one connection; whether the server still listened after the last."""
    async with session.ws_connect(SOCKET) as ws:
        client = Wire(ws)
        if namespace:
            await client.join(namespace, token=secret)
        try:
            for frame in frames:
                await ws.send_frame(frame, WSMsgType.BINARY if mutator.is_binary() else WSMsgType.TEXT)
            await ws.send_str("40/nowhere,{}")
            await ws.send_str("1")
        except ConnectionError:
            pass
        return any("44/nowhere" in str(frame) for frame in await client.ended())


def test_the_table_names_tests_that_are_there() -> None:
    rows_of_table = re.findall(r"^     (?:(\w+): )?(test_\w+)$", __doc__ or "", re.MULTILINE)
    assert len(rows_of_table) > 50
    here = Path(__file__).parent
    for file, name in rows_of_table:
        found = [here / f"{file or 'test_battery'}.py", here.parent / "edge" / f"{file}.py"]
        assert any(f"def {name}(" in path.read_text() for path in found if path.exists()), name
