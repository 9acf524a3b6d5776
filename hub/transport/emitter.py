"""The Socket.IO half of the wall: the only typed face of python-socketio the rest of the hub sees.

Above this file there are `Link`s (one client in one namespace), `Frame`s (encoded once, sent to many) and an `Edge`
(what the hub does when somebody comes, asks or leaves). python-socketio gives the packet codec and the engine.
Its own dispatch is replaced, because the stock release, reproduced:

- runs the application's connect handler for a client event *named* `connect` (here: reserved names end the session);
- puts a client in rooms before its connect handler has decided (here: nobody hears anything before `admit` returned);
- lets a client in when the connect handler crashes (here: every exception refuses);
- accepts unlimited binary attachments (here: few, and bounded bytes).

Messages of one client are handled one after the other, in the order they were sent.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import socketio
from aiohttp import web
from socketio import packet

from hub.transport.engine import Engine, ProtocolError, Session
from hub.transport.options import EngineOptions
from hub.transport.outbound import Frame, Put
from storage.base import codec
from storage.base.log import log

RESERVED = frozenset({"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})
"""Names the official clients treat as their own; from the wire they can only be an attack."""

ATTACHMENTS_MAX = 10


class Refused(Exception):
    """`Edge.admit` says no; `error` is what the client gets as connect_error data."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("code"))
        self.error = error


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the transport knows of a client. Nothing here is proof of identity."""

    address: str
    user_agent: str


class Edge(Protocol):
    """What the hub does with clients; called in order for each link."""

    @property
    def namespaces(self) -> Collection[str]: ...

    async def admit(self, link: Link, auth: object) -> None:
        """Decide. Raises Refused; any other exception refuses too. Nothing sent before it returns arrives."""

    async def admitted(self, link: Link) -> None:
        """The client knows it is in."""

    async def ask(self, link: Link, event: str, args: Sequence[object], *, size: int) -> dict[str, Any] | list[Any]:
        """Answer one request, never raise; the answer is the ack's one argument, or the list of all of them."""

    def full(self, link: Link) -> None:
        """An ack found no room."""

    async def left(self, link: Link, reason: str) -> None:
        """The link is gone. Called for each link `admit` was called for; twice when it goes in that very moment."""


class Link:
    """One client in one namespace."""

    __slots__ = ("_session", "handshake", "is_open", "namespace", "sid")

    def __init__(self, session: Session, namespace: str, handshake: Handshake) -> None:
        self._session = session
        self.namespace = namespace
        self.handshake = handshake
        self.sid = secrets.token_urlsafe(15)
        self.is_open = False

    def send(self, frame: Frame) -> Put:
        """Queue a fact, an ack or a control message."""
        return self._session.put(frame) if self.is_open else Put.CLOSED

    def send_all(self, frames: Sequence[Frame]) -> Put:
        """Queue frames that are one message; a part without the rest would break the stream, so the session ends."""
        outcomes = [self.send(frame) for frame in frames]
        if Put.FULL in outcomes[1:]:
            self.hang_up("slow")
        return Put.FULL if Put.FULL in outcomes else outcomes[-1]

    def send_live(self, key: str, frame: Frame) -> Put:
        """Queue a live message; a newer one with the same key replaces it while it waits."""
        return self._session.put_live(self._key(key), frame) if self.is_open else Put.CLOSED

    def forget_live(self, key: str) -> None:
        """A waiting live message with this key will not be sent."""
        self._session.outbound.drop_live(self._key(key))

    def forget_all(self) -> None:
        """Drop everything that waits for this client; it is about to be told to come back."""
        self._session.outbound.clear()

    @property
    def live_lost(self) -> int:
        """Live messages this client did not get, ever."""
        return self._session.outbound.live_lost

    async def has_room(self) -> bool:
        """Wait until at most half of the buffer is taken; False when the client does not read or has gone."""
        return bool(self.is_open and await self._session.has_room() and self.is_open)

    def hang_up(self, reason: str) -> None:
        """End the whole session after what is queued; official clients reconnect by themselves."""
        self._session.server.hang_up(self._session.sid, reason)

    @property
    def session_sid(self) -> str:
        """Two links of one client share a session."""
        return str(self._session.sid)

    def _key(self, key: str) -> str:
        return f"{self.namespace} {key}"


def event_frame(namespace: str, event: str, body: bytes) -> Frame:
    """`42/worker,["offer.made",{…}]`; `body` is one JSON value."""
    return Frame(b'%b["%b",%b]' % (_head(packet.EVENT, namespace), event.encode(), body))


def ack_frame(namespace: str, number: int, answer: dict[str, Any]) -> Frame:
    return Frame(b"%b%d[%b]" % (_head(packet.ACK, namespace), number, codec.dumps(answer)))


def frames_of(kind: int, namespace: str, args: list[Any], number: int | None = None) -> list[Frame]:
    """Any event or ack, with its attachments after it where arguments hold bytes."""
    attachments: list[bytes] = []
    body = codec.dumps(_without_bytes(args, attachments))
    numbered = b"" if number is None else b"%d" % number
    if not attachments:
        return [Frame(_head(kind, namespace) + numbered + body)]
    binary = {packet.EVENT: packet.BINARY_EVENT, packet.ACK: packet.BINARY_ACK}[kind]
    head = _head(f"{binary}{len(attachments)}-", namespace)
    return [Frame(head + numbered + body), *(Frame(part, is_binary=True) for part in attachments)]


def _without_bytes(value: Any, attachments: list[bytes]) -> Any:  # noqa: ANN401 - any JSON value, or bytes
    if isinstance(value, bytes | bytearray):
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    if isinstance(value, list | tuple):
        return [_without_bytes(part, attachments) for part in value]
    if isinstance(value, dict):
        return {name: _without_bytes(part, attachments) for name, part in value.items()}
    return value


def _head(kind: int | str, namespace: str) -> bytes:
    """An Engine.IO message with a Socket.IO packet of this kind; the main namespace is not named."""
    return f"4{kind}".encode() if namespace == "/" else f"4{kind}{namespace},".encode()


def _bytes_of(data: str | bytes) -> int:
    """Bytes on the wire; text that is all ASCII, as most is, need not be encoded to count them."""
    return len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode())


class _Json:
    """orjson in the shape the packet codec asks for."""

    @staticmethod
    def dumps(value: object, **_options: object) -> str:
        return codec.dumps(value).decode()

    loads = staticmethod(codec.loads)


class _Packet(packet.Packet):  # type: ignore[misc]  # python-socketio has no types
    json = _Json


class Emitter(socketio.AsyncServer):  # type: ignore[misc]  # python-socketio has no types
    """The Socket.IO server. Attach it to an aiohttp application, give it an edge."""

    def __init__(self, edge: Edge, options: EngineOptions) -> None:
        self._edge = edge
        self._options = options
        super().__init__(async_handlers=False, serializer=_Packet, options=options)
        self._handshakes: dict[str, Handshake] = {}
        self._links: dict[str, dict[str, Link]] = {}
        self._parts_bytes: dict[str, int] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self.eio.on_open = self._opened
        self.eio.on_message = self._message
        self.eio.on_close = self._closed

    def _engineio_server_class(self) -> Any:  # noqa: ANN401 - a factory in the library's shape
        return lambda **_ignored: Engine(self._options)

    def attach_to(self, app: web.Application) -> None:
        """Serve `/socket.io/` in this application."""
        self.eio.attach(app, "socket.io")

    @property
    def engine(self) -> Engine:
        """What the door hands WebSockets to."""
        engine: Engine = self.eio
        return engine

    def stop_accepting(self) -> None:
        """Refuse new sessions; those that are here go on."""
        self.eio.accepting = False

    def dismiss(self, link: Link, reason: str) -> None:
        """Leave the namespace by a DISCONNECT packet: official clients do not reconnect by themselves."""
        link.send(Frame(_head(packet.DISCONNECT, link.namespace)))
        task = asyncio.get_running_loop().create_task(self._leave(link.session_sid, link.namespace, reason))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    @property
    def sessions(self) -> int:
        return len(self.eio.sockets)

    def hang_up_all(self, reason: str) -> None:
        """End every session after what is queued for it."""
        self.engine.hang_up_all(reason)

    def cut_all(self) -> None:
        """End every session now."""
        self.engine.hang_up_all("shutdown", abort=True)

    async def finish(self) -> None:
        """End every session and connection, and wait until they are gone."""
        await self.engine.finish()

    # -- from the engine ----------------------------------------------------------------------------------------

    def _opened(self, session: Session, address: str, user_agent: str) -> None:
        self._handshakes[session.sid] = Handshake(address, user_agent[:200])
        self._links[session.sid] = {}

    async def _closed(self, eio_sid: str, reason: str) -> None:
        self._handshakes.pop(eio_sid, None)
        self._binary_packet.pop(eio_sid, None)
        self._parts_bytes.pop(eio_sid, None)
        for link in self._links.pop(eio_sid, {}).values():
            link.is_open = False
            await self._edge.left(link, reason)

    async def _message(self, eio_sid: str, data: str | bytes) -> None:
        """One Socket.IO packet, or one attachment of a binary one. Raises ProtocolError."""
        try:
            size = self._parts_bytes.get(eio_sid, 0) + _bytes_of(data)
            pkt = self._assemble(eio_sid, data)
        except (ValueError, TypeError, IndexError, KeyError, AttributeError, RecursionError) as problem:
            raise ProtocolError("unreadable packet") from problem
        if pkt is None:
            return
        kind, namespace = pkt.packet_type, pkt.namespace or "/"
        if kind == packet.CONNECT:
            await self._connect(eio_sid, namespace, pkt.data)
        elif kind == packet.DISCONNECT:
            await self._leave(eio_sid, namespace)
        elif kind in (packet.EVENT, packet.BINARY_EVENT):
            await self._event(eio_sid, namespace, pkt.id, pkt.data, size)
        elif kind not in (packet.ACK, packet.BINARY_ACK):
            raise ProtocolError("unexpected packet type")

    def _assemble(self, eio_sid: str, data: str | bytes) -> Any:  # noqa: ANN401 - library packet
        waiting = self._binary_packet.get(eio_sid)
        if waiting is None:
            if isinstance(data, bytes):
                raise ProtocolError("attachment without packet")
            pkt = _Packet(encoded_packet=data)
            if pkt.attachment_count == 0:
                return pkt
            if pkt.attachment_count > ATTACHMENTS_MAX or pkt.packet_type not in (
                packet.BINARY_EVENT,
                packet.BINARY_ACK,
            ):
                raise ProtocolError("too many attachments")
            self._binary_packet[eio_sid], self._parts_bytes[eio_sid] = pkt, len(data)
            return None
        if not isinstance(data, bytes):
            raise ProtocolError("attachment expected")
        self._parts_bytes[eio_sid] += len(data)
        if self._parts_bytes[eio_sid] > self._options.frame_bytes_max:
            raise ProtocolError("attachments too large")
        if not waiting.add_attachment(data):
            return None
        del self._binary_packet[eio_sid], self._parts_bytes[eio_sid]
        return waiting

    # -- Socket.IO ----------------------------------------------------------------------------------------------

    async def _connect(self, eio_sid: str, namespace: str, auth: object) -> None:
        session = self.eio.session_of(eio_sid)
        links = self._links.get(eio_sid)
        if session is None or links is None:
            return
        if namespace not in self._edge.namespaces or namespace in links:
            session.put(Frame(_head(packet.CONNECT_ERROR, namespace) + b'{"message":"Invalid namespace"}'))
            return
        link = links[namespace] = Link(session, namespace, self._handshakes[eio_sid])
        error = await self._decide(link, auth)
        if self._links.get(eio_sid) is not links or links.get(namespace) is not link:
            await self._edge.left(link, "gone")  # the session ended, or it left, while the edge was deciding
            return
        if error is not None:
            del links[namespace]
            self._refuse(session, namespace, error)
            await self._edge.left(link, "refused")
            return
        link.is_open = True
        session.in_company()
        link.send(Frame(b'%b{"sid":"%b"}' % (_head(packet.CONNECT, namespace), link.sid.encode())))
        await self._edge.admitted(link)

    async def _decide(self, link: Link, auth: object) -> dict[str, Any] | None:
        """None to let the client in. Fails closed: a crash or a hang refuses."""
        try:
            async with asyncio.timeout(self._options.connect_timeout_s):
                await self._edge.admit(link, auth)
        except Refused as refusal:
            return refusal.error
        except TimeoutError as problem:
            log("socket.admit_slow", level="warning", error=problem, namespace=link.namespace)
            return {"code": "busy", "detail": "Not now; try again shortly.", "retry": True}
        except Exception as problem:  # noqa: BLE001 - the socket loop: whatever it was, the answer is no
            log("socket.admit_failed", level="error", error=problem, namespace=link.namespace)
            return {"code": "internal", "detail": "Something went wrong on our side.", "retry": True}
        return None

    def _refuse(self, session: Session, namespace: str, error: dict[str, Any]) -> None:
        """CONNECT_ERROR as official clients read it: `err.message` is the code, `err.data` ours."""
        body = {"message": error["code"], "data": {"error": error}}
        session.put(Frame(_head(packet.CONNECT_ERROR, namespace) + codec.dumps(body)))

    async def _leave(self, eio_sid: str, namespace: str, reason: str = "client disconnect") -> None:
        link = self._links.get(eio_sid, {}).pop(namespace, None)
        if link is not None:
            link.is_open = False
            session = self.eio.session_of(eio_sid)
            if session is not None and not self._links[eio_sid]:
                session.expect_company()
            await self._edge.left(link, reason)

    async def _event(self, eio_sid: str, namespace: str, number: int | None, data: object, size: int) -> None:
        link = self._links.get(eio_sid, {}).get(namespace)
        if not isinstance(data, list) or not data or not isinstance(data[0], str) or data[0] in RESERVED:
            raise ProtocolError("not an event")
        if link is None or not link.is_open:
            return  # a client that was refused, or has left, is not listened to
        answer = await self._edge.ask(link, data[0], data[1:], size=size)
        if number is not None:
            if isinstance(answer, list):
                outcome = link.send_all(frames_of(packet.ACK, namespace, answer, number))
            else:
                outcome = link.send(ack_frame(namespace, number, answer))
        elif isinstance(answer, dict) and "error" in answer:  # nobody waits for an ack, yet an error must not vanish
            body = codec.dumps({"event": data[0], **answer})
            outcome = link.send(event_frame(namespace, "request.failed", body))
        else:
            return
        if outcome is Put.FULL:
            self._edge.full(link)
