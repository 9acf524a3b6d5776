"""Socket.IO packets: frames encoded once for everybody they go to, and events read without detours.

The usual event (text, without attachments) is read here by one pattern; everything else by python-socketio.
Source: Engine.IO protocol 4, Socket.IO protocol 5, RFC 6455 §5.2.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import Any

from socketio import packet

from storage.base import codec

_ACK = packet.ACK


class ProtocolError(Exception):
    """The peer sent something that is not Engine.IO or Socket.IO; its session ends."""


class Frame:
    """One Engine.IO message, encoded once and shared by every socket it goes to; text unless it `is_binary`."""

    __slots__ = ("data", "is_binary", "wire")

    def __init__(self, data: bytes, *, is_binary: bool = False) -> None:
        self.data = data
        self.is_binary = is_binary
        size = len(data)
        start = b"\x82" if is_binary else b"\x81"
        self.wire = (_SHORT[size] if size < 126 and not is_binary else start + _length(size)) + data
        """As one unmasked WebSocket frame."""

    def __len__(self) -> int:
        return len(self.data)

    @property
    def text(self) -> str:
        """For long-polling, where messages are joined as text and binary ones are base64."""
        return "b" + base64.b64encode(self.data).decode() if self.is_binary else self.data.decode()


_SHORT = tuple(bytes((0x81, size)) for size in range(126))
"""How short text frames begin."""


def _length(size: int) -> bytes:
    if size < 126:
        return bytes((size,))
    return b"\x7e" + size.to_bytes(2, "big") if size < 65_536 else b"\x7f" + size.to_bytes(8, "big")


def event_frame(namespace: str, event: str, body: bytes) -> Frame:
    """`42/worker,["offer.made",{…}]`; `body` is one JSON value, or several with commas between them."""
    return Frame(b'%b["%b",%b]' % (head(packet.EVENT, namespace), event.encode(), body))


def ack_frame(namespace: str, number: int, answer: dict[str, Any]) -> Frame:
    return Frame(b"%b%d[%b]" % (head(_ACK, namespace), number, codec.dumps(answer)))


def frames_of(kind: int, namespace: str, args: list[Any], number: int | None = None) -> list[Frame]:
    """Any event or ack, with its attachments after it where arguments hold bytes."""
    attachments: list[bytes] = []
    body = codec.dumps(_without_bytes(args, attachments))
    numbered = b"" if number is None else b"%d" % number
    if not attachments:
        return [Frame(head(kind, namespace) + numbered + body)]
    binary = {packet.EVENT: packet.BINARY_EVENT, packet.ACK: packet.BINARY_ACK}[kind]
    first = Frame(head(f"{binary}{len(attachments)}-", namespace) + numbered + body)
    return [first, *(Frame(part, is_binary=True) for part in attachments)]


@lru_cache(maxsize=1_024)
def head(kind: int | str, namespace: str) -> bytes:
    """An Engine.IO message with a Socket.IO packet of this kind; the main namespace is not named."""
    return f"4{kind}".encode() if namespace == "/" else f"4{kind}{namespace},".encode()


def _without_bytes(value: Any, attachments: list[bytes]) -> Any:  # noqa: ANN401 - any JSON value, or bytes
    if isinstance(value, bytes | bytearray):
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    if isinstance(value, list | tuple):
        return [_without_bytes(part, attachments) for part in value]
    if isinstance(value, dict):
        return {name: _without_bytes(part, attachments) for name, part in value.items()}
    return value


class _Json:
    """orjson in the shape python-socketio asks for."""

    @staticmethod
    def dumps(value: object, **_options: object) -> str:
        return codec.dumps(value).decode()

    loads = staticmethod(codec.loads)


class Packet(packet.Packet):  # type: ignore[misc]  # python-socketio has no types
    """A packet as python-socketio reads it; raises all kinds of errors on what is none."""

    json = _Json


_EVENT = re.compile(r"2(?:(/[^,?]*),)?([0-9]{1,15})?(\[.*\])", re.DOTALL)


def read_event(data: str) -> tuple[str, int | None, list[Any]] | None:
    """Namespace, number and arguments of a usual event; None for any other packet. Raises ValueError."""
    found = _EVENT.fullmatch(data)
    if found is None:
        return None
    namespace, number, args = found.groups()
    return namespace or "/", None if number is None else int(number), codec.loads(args)


_CONNECT = re.compile(r"0(?:(/[^,?]*),)?(\{.*\})", re.DOTALL)


def read_connect(data: str) -> tuple[str, Any] | None:
    """Namespace and `auth` of a usual CONNECT; None for any other packet. Raises ValueError."""
    found = _CONNECT.fullmatch(data)
    return None if found is None else (found[1] or "/", codec.loads(found[2]))
