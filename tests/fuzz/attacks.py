"""Clients that say what nobody should. Each plays one connection and looks at everything that comes back.

Whatever is sent carries the client's own mark; the mark of anybody else in what comes back is a leak. A connection is
done with when the server has answered a question that comes last, or has closed: both have to happen soon.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random

from tests.fuzz import frames, heads, packets

PATIENCE_S = 10.0
PAUSE_S = 0.5
CHUNK = 65_536
MARK = re.compile(rb"~[0-9a-f]{16}~")
TARGET = "/socket.io/?EIO=4&transport="
HANDSHAKE = (
    f"GET {TARGET}websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()

BODY = re.compile(rb"content-length|transfer-encoding", re.IGNORECASE)
LAST_REQUEST = b"\r\n\r\nGET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
"""After it a server closes, whatever came before: as a request, as part of a body or as no frame."""


class Finding(Exception):
    """The server did what it must not."""


@dataclass
class Marks:
    """Who has which mark; secrets, in that nobody but the owner may get to see one."""

    known: set[bytes] = field(default_factory=set)

    def new(self, rng: Random) -> str:
        mark = f"~{rng.getrandbits(64):016x}~"
        self.known.add(mark.encode())
        return mark


@dataclass
class Connection:
    """A TCP connection, all that was sent on it and all that came back."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    mark: str
    marks: Marks
    sent: list[bytes] = field(default_factory=list)
    unread: bytes = b""
    is_reset: bool = False
    """What was on its way to us may be lost."""

    async def send(self, *chunks: bytes) -> None:
        """Chunks that may arrive one by one; quiet when the other side has gone."""
        self.sent += chunks
        with suppress(ConnectionError):
            for chunk in chunks:
                self.writer.write(chunk)
                await self.writer.drain()
                if len(chunks) > 1:
                    await asyncio.sleep(0)

    async def read(self) -> bytes:
        """What comes next; nothing when it is over."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                data = await self.reader.read(CHUNK)
        except ConnectionError:
            self.is_reset = True
            return b""
        except TimeoutError:
            raise Finding("neither an answer nor the end of the connection") from None
        foreign = {mark for mark in MARK.findall(self.unread[-20:] + data) if mark != self.mark.encode()}
        if foreign & self.marks.known:
            raise Finding("it heard what belongs to somebody else")
        return data

    async def read_all(self) -> bytes:
        """Everything until the end; nothing is sent any more."""
        with suppress(OSError):
            self.writer.write_eof()
        while data := await self.read():
            self.unread += data
        return self.unread

    async def waits_until_over(self) -> bool:
        """False when the server waits for more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_S):
                while data := await self.read():
                    self.unread += data
                return True
        return False

    async def head(self) -> bytes:
        """The head of an HTTP answer; what follows it stays unread."""
        while b"\r\n\r\n" not in self.unread:
            if not (data := await self.read()):
                raise Finding(f"no answer to HTTP but {self.unread[:100]!r}")
            self.unread += data
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        return head


@dataclass
class Target:
    """Where to connect, and who does."""

    port: int
    marks: Marks

    @asynccontextmanager
    async def connect(self, rng: Random) -> AsyncIterator[Connection]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        connection = Connection(reader, writer, self.marks.new(rng), self.marks)
        try:
            yield connection
        except Finding as finding:
            finding.add_note("\n".join(chunk.hex() for chunk in connection.sent))
            raise
        finally:
            self.marks.known.discard(connection.mark.encode())
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _web_socket(connection: Connection) -> None:
    await connection.send(HANDSHAKE)
    if not (head := await connection.head()).startswith(b"HTTP/1.1 101 "):
        raise Finding(f"a sound handshake was answered {head[:60]!r}")


async def attack_by_frames(target: Target, rng: Random) -> int:
    """WebSocket frames that are not quite right."""
    async with target.connect(rng) as connection:
        await _web_socket(connection)
        data = frames.broken(rng, frames.conversation(rng, connection.mark, bytes_max=65_536))
        if rng.random() < 0.5:
            data = frames.Frame(frames.TEXT, b"40").wire() + data
        await connection.send(*frames.pieces(rng, data))
        heard = await connection.read_all()
        for kind, _ in server_frames(heard)[0]:
            if kind not in (frames.TEXT, frames.BINARY, frames.CLOSE, frames.PONG):
                raise Finding(f"a frame of kind {kind}")
    return 1


async def attack_by_packets(target: Target, rng: Random) -> int:
    """Packets in sound frames, until the server has had enough or the client has said what it wanted."""
    said = 0
    async with target.connect(rng) as connection:
        await _web_socket(connection)
        for number in range(rng.choice([1, 4, 16, 40])):
            what = packets.said(rng, connection.mark)
            said += 1
            question = f"40/~{number},"
            await connection.send(b"".join(_framed(packet, rng) for packet in [*what, question]))
            if not await _answers(connection, f"44/~{number},".encode()):
                break
    return said


def _framed(packet: packets.Packet, rng: Random) -> bytes:
    kind = frames.BINARY if isinstance(packet, bytes) else frames.TEXT
    payload = packet if isinstance(packet, bytes) else packet.encode(errors="surrogatepass")
    return frames.Frame(kind, payload, mask=rng.randbytes(4)).wire()


async def _answers(connection: Connection, answer: bytes) -> bool:
    """False when the server has closed instead."""
    while True:
        heard, connection.unread = server_frames(connection.unread)
        for kind, payload in heard:
            if kind == frames.CLOSE:
                return False
            if payload == b"2":
                await connection.send(frames.Frame(frames.TEXT, b"3").wire())
        if any(payload.startswith(answer) for _, payload in heard):
            return True
        if not (data := await connection.read()):
            return False
        connection.unread += data


def server_frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Kinds and payloads of whole frames of a server, and the rest."""
    whole, at = [], 0
    for head in frames.heads(data):
        if head.first & 0x70 or head.second & 0x80 or not head.first & 0x80:
            raise Finding(f"not a frame of a server: {data[at : at + 20]!r}")
        if at + head.length > len(data):
            break
        whole.append((head.first & 0x0F, data[at + head.length - head.size : at + head.length]))
        at += head.length
    return whole, data[at:]


async def attack_by_first_bytes(target: Target, rng: Random) -> int:
    """The same first bytes twice, cut differently: what is said to them does not depend on the network."""
    data = heads.first_bytes(rng)
    if rng.random() < 0.9:
        data += LAST_REQUEST
    statuses = set()
    for _ in range(2):
        async with target.connect(rng) as connection:
            await connection.send(*frames.pieces(rng, data))
            is_over = data.endswith(LAST_REQUEST) and await connection.waits_until_over()
            heard = connection.unread if is_over else await connection.read_all()
            heard = heard.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")  # said when the head has come before the rest
            if heard and not re.match(rb"HTTP/\d\.\d [1-5]\d\d ", heard):
                raise Finding(f"an answer that is no HTTP: {heard[:60]!r}")
            if heard[9:12] in (b"500", b"502", b"503", b"504"):
                raise Finding(f"it broke: {heard[:60]!r}")
            statuses |= {heard[9:12]} if is_over and not connection.is_reset else set()
            is_refused = all(status[:1] == b"4" for status in statuses)  # aiohttp has more than one reason for some
            if BODY.search(data):  # it takes a bite of the last request, whose 400 aiohttp may say in the first's place
                statuses.discard(b"400")
            if len(statuses) > 1 and not is_refused and data.count(b" HTTP/") <= 2:  # of more it answers any
                raise Finding(f"answered {statuses}, as the network cut it")
    return 2


async def attack_by_posts(target: Target, rng: Random) -> int:
    """POSTs of one polling session, until it is over."""
    said = 0
    async with target.connect(rng) as connection:
        _, opening = await _ask(connection, "GET", "")
        sid = opening.partition(b'"sid":"')[2].partition(b'"')[0].decode()
        for number in range(rng.choice([1, 2, 6])):
            body, said = packets.body(rng, connection.mark), said + 1
            if rng.random() < 0.15:
                await _lie_about_length(connection, sid, body, rng)
                break
            status, _ = await _ask(connection, "POST", sid, body)
            if status == 200:
                status, _ = await _ask(connection, "POST", sid, f"40/~{number},".encode())
            if status != 200:
                await _is_gone(connection, sid)
                break
            if not await _polls_until(connection, sid, f"44/~{number},".encode()):
                break
    return said


async def _polls_until(connection: Connection, sid: str, answer: bytes) -> bool:
    """False when the session is over."""
    while True:
        status, heard = await _ask(connection, "GET", sid)
        heard_packets = heard.split(b"\x1e")
        if status != 200 or b"1" in heard_packets:
            return False
        if any(packet.startswith(answer) for packet in heard_packets):
            return True
        if b"2" in heard_packets:
            await _ask(connection, "POST", sid, b"3")
        elif b"6" in heard_packets:
            raise Finding("a poll that was not answered but let go")


async def _is_gone(connection: Connection, sid: str) -> None:
    if (status := (await _ask(connection, "GET", sid))[0]) != 400:
        raise Finding(f"a session that was refused a POST answers a poll {status}")


async def _ask(connection: Connection, method: str, sid: str, body: bytes | None = None) -> tuple[int, bytes]:
    """One request on a connection that stays; status and body."""
    length = "" if body is None else f"Content-Length: {len(body)}\r\n"
    query = f"{TARGET}polling" + (f"&sid={sid}" if sid else "")
    await connection.send(f"{method} {query} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n".encode() + (body or b""))
    head = await connection.head()
    status = int(head.split(b" ", 2)[1])
    if status >= 500 or (found := re.search(rb"content-length: (\d+)", head.lower())) is None:
        raise Finding(f"answered {head[:80]!r}")
    size = int(found[1])
    while len(connection.unread) < size:
        if not (data := await connection.read()):
            raise Finding("an answer that broke off")
        connection.unread += data
    answer, connection.unread = connection.unread[:size], connection.unread[size:]
    return status, answer


async def _lie_about_length(connection: Connection, sid: str, body: bytes, rng: Random) -> None:
    true = f"Content-Length: {len(body)}"
    says = rng.choice(
        [f"{true}0", f"Content-Length: {len(body) + 1}", f"Content-Length: {rng.randint(0, len(body))}", "X-No: length",
         "Content-Length: -1", "Content-Length: x", "Transfer-Encoding: chunked", f"{true}\r\nExpect: 100-continue",
         f"{true}\r\nContent-Length: 0", f"{true}\r\nTransfer-Encoding: chunked"]
    )  # fmt: skip
    if rng.random() < 0.5:
        body = f"{len(body):x}\r\n".encode() + body + b"\r\n" + rng.choice([b"0\r\n\r\n", b"", b"zz\r\n"])
    head = f"POST {TARGET}polling&sid={sid} HTTP/1.1\r\nHost: 127.0.0.1\r\n{says}\r\n\r\n".encode()
    await connection.send(*frames.pieces(rng, head + body))
    for status in re.findall(rb"^HTTP/1\.[01] (\d+)", await connection.read_all(), re.MULTILINE):
        if int(status) == 500:
            raise Finding("it broke on a length that is not true")


Attack = Callable[[Target, Random], Coroutine[None, None, int]]
ATTACKS: dict[str, Attack] = {
    "frames": attack_by_frames,
    "packets": attack_by_packets,
    "first bytes": attack_by_first_bytes,
    "posts": attack_by_posts,
}
