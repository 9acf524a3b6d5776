"""The WebSocket under the transport (RFC 6455), byte by byte over real connections that the door has let in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.protocol.server import OPTIONS, serving

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
WAIT_S = 5.0


def frame(kind: int, payload: bytes, *, fin: bool = True, masked: bool = True, rsv: int = 0) -> bytes:
    """A client's frame."""
    size, flag = len(payload), 0x80 if masked else 0
    first = (0x80 if fin else 0) | rsv | kind
    if size < 126:
        head = bytes((first, flag | size))
    elif size < 65_536:
        head = bytes((first, flag | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, flag | 127)) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))


@dataclass
class Raw:
    """A WebSocket of which the test sends and sees the bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def read(self) -> tuple[int, bytes]:
        """Kind and payload of the server's next frame that is no heartbeat."""
        while True:
            async with asyncio.timeout(WAIT_S):
                first, second = await self.reader.readexactly(2)
                assert second < 128, "servers do not mask"
                size = second
                if second > 125:
                    size = int.from_bytes(await self.reader.readexactly(2 if second == 126 else 8), "big")
                payload = await self.reader.readexactly(size)
            if (first & 0x0F, payload) == (TEXT, b"2"):
                self.send(frame(TEXT, b"3"))
                continue
            return first & 0x0F, payload

    async def ends_with(self) -> int:
        """The code of the server's Close; the connection ends after it."""
        kind, payload = await self.read()
        assert kind == CLOSE
        async with asyncio.timeout(WAIT_S):
            assert await self.reader.read() == b""
        return int.from_bytes(payload[:2], "big")


HANDSHAKE = (
    b"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Raw]:
    """A connection that has said nothing yet."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def connected(url: str, *, cut_at: int = 0) -> AsyncIterator[Raw]:
    async with opened(url) as raw:
        raw.send(HANDSHAKE[:cut_at])
        if cut_at:
            await asyncio.sleep(0.02)
        raw.send(HANDSHAKE[cut_at:])
        async with asyncio.timeout(WAIT_S):
            head = await raw.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head  # the example of RFC 6455 §1.3
        kind, opening = await raw.read()
        assert (kind, opening[:1]) == (TEXT, b"0")
        yield raw


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with serving(engine=True) as base:
        yield base


@pytest.fixture
async def raw(url: str) -> AsyncIterator[Raw]:
    async with connected(url) as one:
        yield one


@pytest.mark.parametrize("cut_at", [1, 4, 15, 40, len(HANDSHAKE) - 1])
async def test_a_handshake_may_come_in_pieces(url: str, cut_at: int) -> None:
    async with connected(url, cut_at=cut_at) as raw:
        raw.send(frame(TEXT, b"4hello"))
        assert await raw.read() == (TEXT, b"4hello")


async def test_frames_may_come_with_the_handshake(url: str) -> None:
    async with opened(url) as raw:
        raw.send(HANDSHAKE + frame(TEXT, b"4early"))
        await raw.reader.readuntil(b"\r\n\r\n")
        assert (await raw.read())[1][:1] == b"0"
        assert await raw.read() == (TEXT, b"4early")


@pytest.mark.parametrize("size", [0, 1, 3, 124, 125, 126, 127, 65_535, 65_536, 300_000])
async def test_messages_of_every_length_come_back(raw: Raw, size: int) -> None:
    payload = os.urandom(size)
    raw.send(frame(BINARY, payload))
    assert await raw.read() == (BINARY, payload)


def pieces(data: bytes, chance: random.Random) -> Iterator[bytes]:
    """The same bytes cut anywhere."""
    while data:
        cut = min(len(data), chance.choice([1, 2, 3, 5, 8, 50, 1_000, 70_000]))
        yield data[:cut]
        data = data[cut:]


@pytest.mark.parametrize("seed", range(6))
async def test_it_does_not_matter_where_the_stream_is_cut(raw: Raw, seed: int) -> None:
    chance = random.Random(seed)
    sent: list[tuple[int, bytes]] = []
    stream = b""
    for number in range(40):
        text = ("4" + "é" * chance.choice([0, 1, 60, 63, 200]) + str(number)).encode()
        kind, payload = chance.choice([(TEXT, text), (BINARY, chance.randbytes(chance.choice([1, 126, 9_000])))])
        cuts = sorted(chance.randrange(len(payload) + 1) for _ in range(chance.choice([0, 0, 1, 4])))
        parts = [payload[start:end] for start, end in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
        for n, part in enumerate(parts):
            stream += frame(kind if n == 0 else 0, part, fin=n == len(parts) - 1)
            if chance.random() < 0.2:
                stream += frame(PING, b"in between")
        sent.append((kind, payload))
    for piece in pieces(stream, chance):
        raw.send(piece)
        if chance.random() < 0.05:
            await asyncio.sleep(0)
    heard: list[tuple[int, bytes]] = []
    while len(heard) < len(sent):
        kind, payload = await raw.read()
        if kind != PONG:
            heard.append((kind, payload))
    assert heard == sent


async def test_a_ping_is_answered_with_what_it_said(raw: Raw) -> None:
    raw.send(frame(PING, b"are you there"))
    assert await raw.read() == (PONG, b"are you there")
    raw.send(frame(PONG, b"nobody asked") + frame(TEXT, b"4on"))
    assert await raw.read() == (TEXT, b"4on")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"4x", masked=False), 1002),
        (frame(TEXT, b"4x", rsv=0x40), 1002),
        (frame(3, b""), 1002),
        (frame(11, b""), 1002),
        (frame(0, b"nothing to go on"), 1002),
        (frame(TEXT, b"4x", fin=False) + frame(TEXT, b"4y"), 1002),
        (frame(PING, b"x", fin=False), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, (1005).to_bytes(2, "big")), 1002),
        (frame(CLOSE, (1000).to_bytes(2, "big") + b"\xff"), 1002),
        (frame(TEXT, b"4\xff\xfe"), 1007),
        (frame(TEXT, b"4\xc3", fin=False) + frame(0, b"("), 1007),
        (bytes((0x81, 0xFF)) + (1 << 62).to_bytes(8, "big"), 1009),
        (frame(TEXT, b"4", fin=False) + frame(0, b"", fin=False) * 1_001, 1009),
    ],
    ids=range(15),  # the frames have masks by chance, and every process must call a test the same
)
async def test_a_broken_rule_ends_the_connection_with_its_code(raw: Raw, data: bytes, code: int) -> None:
    raw.send(data)
    assert await raw.ends_with() == code


async def test_fragments_count_together(raw: Raw) -> None:
    half = b"x" * (OPTIONS.frame_bytes_max // 2 + 1)
    raw.send(frame(BINARY, half, fin=False))
    raw.send(frame(0, half))
    assert await raw.ends_with() == 1009


@pytest.mark.parametrize("payload", [b"", (1000).to_bytes(2, "big"), (4000).to_bytes(2, "big") + b"bye"])
async def test_a_goodbye_is_answered(raw: Raw, payload: bytes) -> None:
    raw.send(frame(CLOSE, payload) + frame(TEXT, b"4after"))
    assert await raw.ends_with() == 1000


@pytest.mark.parametrize(
    "head",
    [
        HANDSHAKE.replace(b"Version: 13", b"Version: 99"),
        HANDSHAKE.replace(b"EIO=4", b"EIO=3"),
        HANDSHAKE.replace(b"transport=websocket", b"transport=carrier-pigeon"),
        HANDSHAKE.replace(b"GET", b"PUT"),
        HANDSHAKE.replace(b"Host: 127.0.0.1", b"Host: 127.0.0.1\r\nOrigin: http://elsewhere.example"),
        HANDSHAKE.replace(b"?EIO=4", b"?sid=nobody&EIO=4"),
    ],
)
async def test_a_handshake_that_is_not_sound_is_refused_in_http(url: str, head: bytes) -> None:
    async with opened(url) as raw:
        raw.send(head)
        async with asyncio.timeout(WAIT_S):
            status = await raw.reader.readline()
        assert status.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), status


async def test_http_goes_on_over_the_same_door(url: str) -> None:
    async with opened(url) as raw:
        for _ in range(2):
            raw.send(b"GET /nothing/here HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await raw.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 404")
            await raw.reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        # A connection that spoke HTTP before may still become a socket, as behind some proxies.
        raw.send(HANDSHAKE)
        assert (await raw.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
