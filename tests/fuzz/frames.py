"""WebSocket frames of a client (RFC 6455 §5), sound ones and ones with a rule broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

WORDS = [
    "",
    "4",
    "2probe",
    "hello",
    "é",
    "中文",
    "🚗",
    "\u0000",
    "\uffff",
    '42["message",{"n":1}]',
    "x" * 125,
    "x" * 126,
]
BAD_UTF8 = [b"\xff", b"\xc3", b"\xc3(", b"\xe4\xb8", b"\xf0\x9f\x9a", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"]
CLOSE_CODES = [0, 999, 1000, 1001, 1003, 1004, 1005, 1006, 1007, 1011, 1015, 1016, 2999, 3000, 4999, 5000, 65_535]


@dataclass(frozen=True)
class Frame:
    """A frame as its fields, each of which may lie."""

    kind: int
    payload: bytes
    is_final: bool = True
    rsv: int = 0
    is_masked: bool = True
    says_size: int | None = None
    width: int = 0
    """Bytes of the extended length; 0 for the right number."""
    mask: bytes = field(default=b"\x12\x34\x56\x78")

    def wire(self) -> bytes:
        size = len(self.payload) if self.says_size is None else self.says_size
        width = self.width or (0 if size < 126 else 2 if size < 65_536 else 8)
        head = bytes((self.is_final << 7 | self.rsv << 4 | self.kind, self.is_masked << 7 | _short(size, width)))
        head += (size % (1 << 8 * width)).to_bytes(width, "big")
        return head + (self.mask + masked(self.payload, self.mask) if self.is_masked else self.payload)


def _short(size: int, width: int) -> int:
    return {0: size & 0x7F, 2: 126, 8: 127}[width]


def masked(payload: bytes, mask: bytes) -> bytes:
    """Every byte with its byte of the mask (§5.3)."""
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")


def text_of(rng: Random, mark: str, *, bytes_max: int) -> bytes:
    """Text, now and then not quite UTF-8, now and then about as long as is allowed."""
    if rng.random() < 0.04:
        return b"y" * (bytes_max + rng.randint(-2, 2))
    parts = [rng.choice([*WORDS, mark]).encode() for _ in range(rng.randint(0, 4))]
    if rng.random() < 0.08:
        parts.insert(rng.randint(0, len(parts)), rng.choice(BAD_UTF8))
    return b"".join(parts)


def control(rng: Random) -> Frame:
    kind = rng.choice([PING, PING, PONG])
    return Frame(kind, rng.randbytes(rng.choice([0, 1, 4, 125])), mask=rng.randbytes(4))


def close(rng: Random) -> Frame:
    payload = rng.choice(
        [b"", b"\x03", rng.choice(CLOSE_CODES).to_bytes(2, "big") + rng.choice([b"", b"bye", "再见".encode(), b"\xff"])]
    )
    return Frame(CLOSE, payload)


def message(rng: Random, mark: str, *, bytes_max: int) -> list[Frame]:
    """One message in one frame or in many, with heartbeats in between."""
    kind = rng.choice([TEXT, TEXT, TEXT, BINARY])
    payload = text_of(rng, mark, bytes_max=bytes_max) if kind == TEXT else rng.randbytes(rng.randint(0, 200))
    if rng.random() < 0.5:
        return [Frame(kind, payload, mask=rng.randbytes(4))]
    cuts = sorted(rng.randint(0, len(payload)) for _ in range(rng.choice([1, 1, 2, 5])))
    if rng.random() < 0.01:
        cuts = [0] * rng.choice([998, 999, 1_000, 1_001])  # empty pieces cost no bytes
    pieces = [payload[start:end] for start, end in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    frames: list[Frame] = []
    for number, piece in enumerate(pieces):
        frames.append(Frame(CONTINUATION if number else kind, piece, is_final=number == len(pieces) - 1))
        if rng.random() < 0.1:
            frames.append(control(rng))
    return frames


def conversation(rng: Random, mark: str = "", *, bytes_max: int = 4_096) -> list[Frame]:
    """Frames that a sound client could send, but for a text that is not UTF-8 or too long."""
    frames: list[Frame] = []
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        frames += [control(rng)] if rng.random() < 0.2 else message(rng, mark, bytes_max=bytes_max)
    if rng.random() < 0.1:
        frames.append(close(rng))
    return frames


def broken(rng: Random, frames: list[Frame]) -> bytes:
    """The same frames on the wire, with something wrong at a place or two."""
    frames = list(frames)
    for _ in range(rng.choice([0, 1, 1, 2])):
        if not frames:
            break
        at = rng.randrange(len(frames))
        frames[at : at + 1] = _lie(rng, frames[at])
    data = bytearray(b"".join(frame.wire() for frame in frames))
    for _ in range(rng.choice([0, 0, 0, 1, 3]) if data else 0):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    if data and rng.random() < 0.1:
        del data[rng.randrange(len(data)) :]
    if rng.random() < 0.05:
        at = rng.randint(0, len(data))
        data[at:at] = rng.randbytes(rng.randint(1, 20))
    return bytes(data)


def _lie(rng: Random, frame: Frame) -> list[Frame]:
    """The frame with one field that is not true, twice, or not at all."""
    size = len(frame.payload)
    other = {
        "rsv": lambda: replace(frame, rsv=rng.randint(1, 7)),
        "kind": lambda: replace(frame, kind=rng.randint(0, 15)),
        "final": lambda: replace(frame, is_final=not frame.is_final),
        "mask": lambda: replace(frame, is_masked=False),
        "shorter": lambda: replace(frame, says_size=rng.randint(0, size)),
        "longer": lambda: replace(frame, says_size=size + rng.randint(1, 200)),
        "huge": lambda: replace(frame, says_size=rng.choice([65_535, 65_536, 1 << 31, 1 << 62, (1 << 64) - 1])),
        "wide": lambda: replace(frame, width=rng.choice([2, 8]) if size < 65_536 else 8),
        "close": lambda: close(rng),
    }
    name = rng.choice([*other, "twice", "none"])
    return [frame, frame] if name == "twice" else [] if name == "none" else [other[name]()]


@dataclass(frozen=True)
class Head:
    """The first bytes of a frame, as they were received."""

    first: int
    second: int
    size: int
    length: int
    """Of the whole frame; `size` is its payload's."""

    @property
    def is_stretched(self) -> bool:
        """Whether a heartbeat or a Close has an extended length, which none may need."""
        return self.first & 0x0F >= CLOSE and self.second & 0x7F > 125

    @property
    def is_unlawful(self) -> bool:
        """Whether it breaks a rule by itself, whatever came before it and whatever its payload is."""
        kind = self.first & 0x0F
        is_known = kind in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)
        is_cut_up = kind >= CLOSE and not self.first & 0x80
        return bool(self.first & 0x70) or not self.second & 0x80 or not is_known or is_cut_up or self.is_stretched


def heads(data: bytes) -> Iterator[Head]:
    """The frames in a stream of bytes, as far as their heads are there."""
    at = 0
    while len(data) - at >= 2:
        short = data[at + 1] & 0x7F
        width = {126: 2, 127: 8}.get(short, 0)
        size = int.from_bytes(data[at + 2 : at + 2 + width], "big") if width else short
        length = 2 + width + (4 if data[at + 1] & 0x80 else 0) + size
        yield Head(data[at], data[at + 1], size, length)
        at += length


def pieces(rng: Random, data: bytes) -> list[bytes]:
    """The bytes as a network may deliver them: at once, in some pieces, or one by one."""
    way = rng.random()
    if way < 0.3 or len(data) < 2:
        return [data]
    if way < 0.4 and len(data) < 400:
        return [data[at : at + 1] for at in range(len(data))]
    cuts = sorted(rng.randrange(1, len(data)) for _ in range(rng.randint(1, 8)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end]
