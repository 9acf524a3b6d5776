"""The Socket.IO half of the wall: clients, their apps, and what they ask.

Above this file there are `Link`s (one client in one namespace), `Frame`s (encoded once, sent to many) and an `Edge`
(what the hub does when somebody comes, asks or leaves). python-socketio reads unusual packets and python-engineio
speaks HTTP; its own dispatch is replaced, because the stock release, reproduced:

- runs the application's connect handler for a client event *named* `connect` (here: reserved names end the session);
- puts a client in rooms before its connect handler has decided (here: nobody hears anything before `admit` returned);
- lets a client in when the connect handler crashes (here: every exception refuses);
- accepts unlimited binary attachments (here: few, bounded bytes, and they must come soon).

Messages of one client are handled one after the other, in the order they were sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any

from aiohttp import web
from socketio import packet

from hub.transport.admission import spread_ms
from hub.transport.classes import COMMAND, NOTICE
from hub.transport.engine import Engine
from hub.transport.links import Answer, Edge, Link, Refused
from hub.transport.options import EngineOptions
from hub.transport.outbound import Put
from hub.transport.packets import (
    Frame,
    Packet,
    ProtocolError,
    ack_frame,
    event_frame,
    frames_of,
    head,
    read_connect,
    read_event,
)
from hub.transport.session import CLIENT_LEFT, Session
from storage.base import codec
from storage.base.errors import Busy
from storage.base.log import log

__all__ = ["Edge", "Emitter", "Link", "Refused", "event_frame", "frames_of"]

RESERVED = frozenset({"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})
"""Names the official clients treat as their own; from the wire they can only be an attack."""

ATTACHMENTS_MAX = 10
ATTACHMENTS_WAIT_S = 10.0


class Client:
    """Whoever is behind one session: its links, and the packet whose attachments are on their way."""

    __slots__ = ("_emitter", "_late", "_parts_bytes", "_waiting", "links", "session")

    def __init__(self, emitter: Emitter, session: Session) -> None:
        self._emitter = emitter
        self.session = session
        self.links: dict[str, Link] = {}
        self._waiting: Any = None
        self._parts_bytes = 0
        self._late: asyncio.TimerHandle | None = None

    def heard(self, data: str | bytes) -> Awaitable[None] | None:
        """One Socket.IO packet, or one attachment of a binary one. Raises ProtocolError."""
        if self._waiting is None and isinstance(data, str):
            try:
                usual = read_event(data)
                joining = read_connect(data) if usual is None else None
            except (ValueError, RecursionError) as problem:
                raise ProtocolError("unreadable packet") from problem
            if usual is not None:
                namespace, number, args = usual
                return self._event(namespace, number, args, _bytes_of(data))
            if joining is not None:
                return self._emitter.connect(self, *joining)
        try:
            size = self._parts_bytes + _bytes_of(data)
            whole = self._assemble(data)
        except (ValueError, TypeError, IndexError, KeyError, AttributeError, RecursionError) as problem:
            raise ProtocolError("unreadable packet") from problem
        return None if whole is None else self._packet(whole, size)

    def _packet(self, whole: Any, size: int) -> Awaitable[None] | None:  # noqa: ANN401 - python-socketio's packet
        kind, namespace = whole.packet_type, whole.namespace or "/"
        if kind in (packet.EVENT, packet.BINARY_EVENT):
            return self._event(namespace, whole.id, whole.data, size)
        if kind == packet.CONNECT:
            return self._emitter.connect(self, namespace, whole.data)
        if kind == packet.DISCONNECT:
            self.leave(namespace, CLIENT_LEFT)
        elif kind not in (packet.ACK, packet.BINARY_ACK):
            raise ProtocolError("unexpected packet type")
        return None

    def _assemble(self, data: str | bytes) -> Any:  # noqa: ANN401 - python-socketio's packet
        waiting = self._waiting
        if waiting is None:
            if isinstance(data, bytes):
                raise ProtocolError("attachment without packet")
            pkt = Packet(encoded_packet=data)
            if pkt.attachment_count == 0:
                return pkt
            if pkt.attachment_count > ATTACHMENTS_MAX or pkt.packet_type not in (
                packet.BINARY_EVENT,
                packet.BINARY_ACK,
            ):
                raise ProtocolError("too many attachments")
            self._waiting, self._parts_bytes = pkt, len(data)
            self._late = asyncio.get_running_loop().call_later(ATTACHMENTS_WAIT_S, self._parts_late)
            return None
        if not isinstance(data, bytes):
            raise ProtocolError("attachment expected")
        self._parts_bytes += len(data)
        if self._parts_bytes > self._emitter.options.frame_bytes_max:
            raise ProtocolError("attachments too large")
        if not waiting.add_attachment(data):
            return None
        self._forget_parts()
        return waiting

    def _forget_parts(self) -> None:
        self._waiting, self._parts_bytes = None, 0
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _parts_late(self) -> None:
        self.session.breaks_off("attachments that do not come")

    # -- events -------------------------------------------------------------------------------------------------

    def _event(self, namespace: str, number: int | None, data: Any, size: int) -> Awaitable[None] | None:  # noqa: ANN401 - JSON
        event = data[0] if isinstance(data, list) and data else None
        if not isinstance(event, str) or event in RESERVED:
            raise ProtocolError("not an event")
        link = self.links.get(namespace)
        if link is None or not link.is_in:
            return None  # a client that was refused, or has left, is not listened to
        answer = self._emitter.edge.ask(link, event, data[1:], size=size)
        if not isinstance(answer, dict | list):
            return self._reply_later(link, event, number, answer)
        self._reply(link, event, number, answer)
        return None

    async def _reply_later(self, link: Link, event: str, number: int | None, answer: Awaitable[Answer]) -> None:
        self._reply(link, event, number, await answer)

    def _reply(self, link: Link, event: str, number: int | None, answer: Answer) -> None:
        if number is not None and isinstance(answer, dict):
            outcome = link.send(ack_frame(link.namespace, number, answer), COMMAND)
        elif number is not None:
            outcome = link.send_all(frames_of(packet.ACK, link.namespace, list(answer), number), COMMAND)
        elif isinstance(answer, dict) and "error" in answer:  # nobody waits for an ack, yet an error must not vanish
            body = codec.dumps({"event": event, **answer})
            outcome = link.send(event_frame(link.namespace, "request.failed", body), NOTICE)
        else:
            return
        if outcome is Put.FULL:
            self._emitter.edge.full(link)

    # -- the end ------------------------------------------------------------------------------------------------

    def leave(self, namespace: str, reason: str) -> None:
        """Out of one namespace; a session that is in none is not kept for long."""
        link = self.links.pop(namespace, None)
        if link is None:
            return
        link.is_in = False
        if not self.links:
            self.session.expect_company()
        self._emitter.edge.left(link, reason)

    def gone(self, reason: str) -> None:
        """The session is over."""
        self._forget_parts()
        links, self.links = self.links, {}
        for link in links.values():
            link.is_in = False
            self._emitter.edge.left(link, reason)


def _bytes_of(data: str | bytes) -> int:
    """Bytes on the wire; text that is all ASCII, as most is, need not be encoded to count them."""
    return len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode())


class Emitter:
    """The Socket.IO server. Attach it to an aiohttp application, give it an edge."""

    def __init__(self, edge: Edge, options: EngineOptions) -> None:
        self.edge = edge
        self.options = options
        self.engine = Engine(options)
        self.engine.on_open = lambda session: Client(self, session)
        self._turn = asyncio.Semaphore(options.admits_max)

    def attach_to(self, app: web.Application) -> None:
        """Serve `/socket.io/` in this application."""
        self.engine.attach(app, "socket.io")

    def stop_accepting(self) -> None:
        """Refuse new sessions; those that are here go on."""
        self.engine.accepting = False

    def dismiss(self, link: Link, reason: str) -> None:
        """Leave the namespace by a DISCONNECT packet: official clients do not reconnect by themselves."""
        link.send(Frame(head(packet.DISCONNECT, link.namespace)))
        session = self.engine.session_of(link.session_sid)
        if session is not None and isinstance(session.listener, Client):
            session.listener.leave(link.namespace, reason)

    @property
    def sessions(self) -> int:
        return len(self.engine.sockets)

    def hang_up_all(self, reason: str) -> None:
        """End every session after what is queued for it."""
        self.engine.hang_up_all(reason)

    def cut_all(self) -> None:
        """End every session now."""
        self.engine.hang_up_all("shutdown", abort=True)

    async def finish(self) -> None:
        """End every session and connection, and wait until they are gone."""
        await self.engine.finish()

    # -- connecting ---------------------------------------------------------------------------------------------

    def connect(self, client: Client, namespace: str, auth: object) -> Awaitable[None] | None:
        """Answer a CONNECT packet; at once where the edge can."""
        session, links = client.session, client.links
        if session.closing:
            return None  # it ended in the turn in which it asked, and nobody is told of its links any more
        if namespace not in self.edge.namespaces or namespace in links:
            session.put(Frame(head(packet.CONNECT_ERROR, namespace) + b'{"message":"Invalid namespace"}'))
            return None
        link = links[namespace] = Link(session, namespace)
        try:
            deciding = self.edge.admit(link, auth)
        except Exception as problem:  # noqa: BLE001 - the socket loop: whatever it was, the answer is no
            self._refuse(client, link, _error_of(problem, namespace))
            return None
        return self._let_in(client, link) if deciding is None else self._connect_later(client, link, deciding)

    async def _connect_later(self, client: Client, link: Link, deciding: Coroutine[Any, Any, None]) -> None:
        error = await self._wait_for(deciding, link.namespace)
        if client.links.get(link.namespace) is not link:
            self.edge.left(link, "gone")  # the session ended, or it left, while the edge was deciding
        elif client.session.closing:
            pass  # the end is told like that of any other
        elif error is not None:
            self._refuse(client, link, error)
        elif (joining := self._let_in(client, link)) is not None:
            await joining

    async def _wait_for(self, deciding: Coroutine[Any, Any, None], namespace: str) -> dict[str, Any] | None:
        """None to let the client in. Fails closed: a crash or a hang refuses."""
        try:
            async with asyncio.timeout(self.options.connect_timeout_s), self._turn:
                await deciding
        except TimeoutError as problem:
            log("socket.admit_slow", level="warning", error=problem, namespace=namespace)
            return Busy(retry_after_ms=spread_ms()).as_dict()
        except Exception as problem:  # noqa: BLE001 - the socket loop: whatever it was, the answer is no
            return _error_of(problem, namespace)
        finally:
            deciding.close()  # its turn may never have come
        return None

    def _let_in(self, client: Client, link: Link) -> Awaitable[None] | None:
        link.is_in = True
        client.session.in_company()
        client.session.gather()  # who is in usually hears more at once
        said = {"sid": link.sid} if link.pid is None else {"sid": link.sid, "pid": link.pid}
        link.send(Frame(head(packet.CONNECT, link.namespace) + codec.dumps(said)))
        return self.edge.admitted(link)

    def _refuse(self, client: Client, link: Link, error: dict[str, Any]) -> None:
        """CONNECT_ERROR as official clients read it: `err.message` is the code, `err.data` ours."""
        del client.links[link.namespace]
        body = {"message": error["code"], "data": {"error": error}}
        client.session.put(Frame(head(packet.CONNECT_ERROR, link.namespace) + codec.dumps(body)))
        self.edge.left(link, "refused")


def _error_of(problem: Exception, namespace: str) -> dict[str, Any]:
    """What a client that is not let in hears."""
    if isinstance(problem, Refused):
        return problem.error
    log("socket.admit_failed", level="error", error=problem, namespace=namespace)
    return {"code": "internal", "detail": "Something went wrong on our side.", "retry": True}
