"""What our WebSocket and the one of the `websockets` library make of the same bytes."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from random import Random

from websockets import protocol
from websockets.frames import Opcode

from hub.transport.rfc6455 import FRAGMENTS_MAX, WireSocket
from tests.fuzz.attacks import Finding
from tests.fuzz.frames import CLOSE, PONG, broken, conversation, heads, pieces

MESSAGE_BYTES_MAX = 4_096
NORMAL, PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1000, 1002, 1007, 1009
OPEN = 0
_quiet = logging.getLogger("tests.fuzz.websockets")
_quiet.disabled = True


@dataclass(frozen=True)
class Outcome:
    """What a server has understood, and the code it closes with; `OPEN` when it waits for more."""

    messages: tuple[str | bytes, ...]
    pongs: tuple[bytes, ...]
    end: int


class _Wire(asyncio.Transport):
    """A connection whose other end is this test."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_paused = False
        self._is_closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    abort = close

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


class _Listener:
    """Whose WebSocket it is; holds it now and then, as one does that is at work."""

    def __init__(self, socket: WireSocket, rng: Random, *, holds: float) -> None:
        self._socket, self._rng, self._holds = socket, rng, holds
        self.messages: list[str | bytes] = []
        self.ends = 0

    def heard(self, message: str | bytes) -> None:
        self.messages.append(message)
        if self._holds and self._rng.random() < self._holds:
            self._socket.hold()

    def stalled(self) -> None: ...

    def ready(self) -> None: ...

    def gone(self, reason: str) -> None:
        assert reason
        self.ends += 1


def ours(chunks: list[bytes], rng: Random) -> Outcome:
    """Deliver as the event loop does; needs a running one."""
    socket, wire = WireSocket(MESSAGE_BYTES_MAX), _Wire()
    listener = _Listener(socket, rng, holds=rng.choice([0, 0, 0.3, 1]))
    socket.connection_made(wire)
    socket.listen(listener)
    for chunk in chunks:
        if wire.is_closing():
            break
        if wire.is_paused or rng.random() < 0.5:
            socket.release()
        socket.data_received(chunk)
    _let_go(socket, listener)
    pongs, end = _read(bytes(wire.written))
    socket.connection_lost(None)
    _let_go(socket, listener)
    assert listener.ends == 1, "an owner is told once that its socket is gone"
    return Outcome(tuple(listener.messages), pongs, end)


def _let_go(socket: WireSocket, listener: _Listener) -> None:
    """All that waits is handed over, however often it is held meanwhile."""
    heard = -1
    while heard != len(listener.messages):
        heard = len(listener.messages)
        socket.release()


def _read(written: bytes) -> tuple[tuple[bytes, ...], int]:
    """The pongs and the close code in what a server wrote; it writes no more after a Close."""
    pongs: list[bytes] = []
    while written:
        kind, size = written[0], written[1]
        payload, written = written[2 : 2 + size], written[2 + size :]
        if kind == 0x80 | CLOSE:
            assert not written, "nothing follows a Close"
            return tuple(pongs), int.from_bytes(payload, "big")
        assert kind == 0x80 | PONG
        pongs.append(payload)
    return tuple(pongs), OPEN


def theirs(chunks: list[bytes]) -> Outcome:
    """The reference, with what it leaves to others put on top: joining, decoding and counting fragments."""
    peer = protocol.Protocol(protocol.Side.SERVER, max_size=MESSAGE_BYTES_MAX, logger=_quiet)
    for chunk in chunks:
        peer.receive_data(chunk)
    messages: list[str | bytes] = []
    pongs: list[bytes] = []
    parts: list[bytes] = []
    kind = Opcode.TEXT
    for frame in peer.events_received():
        if frame.opcode is Opcode.PING:
            pongs.append(bytes(frame.data))
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            continue
        kind = kind if frame.opcode is Opcode.CONT else frame.opcode
        if len(parts) >= FRAGMENTS_MAX:
            return Outcome(tuple(messages), tuple(pongs), TOO_BIG)
        parts.append(bytes(frame.data))
        if frame.fin:
            whole, parts = b"".join(parts), []
            try:
                messages.append(whole.decode() if kind is Opcode.TEXT else whole)
            except UnicodeDecodeError:
                return Outcome(tuple(messages), tuple(pongs), NOT_UTF8)
    return Outcome(tuple(messages), tuple(pongs), _end(peer))


def _end(peer: protocol.Protocol) -> int:
    if peer.close_rcvd is not None and (peer.close_sent is peer.close_rcvd or peer.current_size is not None):
        return NORMAL  # also between fragments, where the reference has a stricter reading of §5.4
    if isinstance(peer.parser_exc, UnicodeDecodeError):
        return PROTOCOL_ERROR  # a Close whose reason is no text breaks §5.5.1 and §8.1; ours names the former
    return OPEN if peer.close_sent is None else int(peer.close_sent.code)


def agree(our: Outcome, their: Outcome, data: bytes) -> bool:
    """Whether both may be right.

    They have to understand the same and to end the same way. Only a frame whose head breaks a rule may be refused at
    once or when it is whole, and for any of its faults; and the reference lets heartbeats have extended lengths.
    """
    if our == their:
        return True
    unlawful = next((head for head in heads(data) if head.is_unlawful), None)
    if unlawful is None:
        return False
    if unlawful.is_stretched and our.end == PROTOCOL_ERROR:
        return our.messages == their.messages[: len(our.messages)]
    return our.messages == their.messages and {our.end, their.end} <= {OPEN, PROTOCOL_ERROR, TOO_BIG}


def check(seed: str, number: int) -> None:
    """Raises Finding; needs a running event loop."""
    rng = Random(f"{seed}:parsers:{number}")
    data = broken(rng, conversation(rng, bytes_max=MESSAGE_BYTES_MAX))
    chunks = pieces(rng, data)
    our, their = ours(chunks, rng), theirs(chunks)
    if not agree(our, their, data):
        finding = Finding(f"ours made {our} of it, the reference {their}")
        finding.add_note("\n".join(chunk.hex() for chunk in chunks))
        finding.add_note(f"parsers {number} of seed {seed}")
        raise finding
