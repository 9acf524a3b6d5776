"""Connection state recovery for the official JavaScript client (4.6 and newer), on any hub.

A client that says `recover` in its `auth` is given a private id with CONNECT. It then keeps the last string at the end
of any event as its offset, and sends both when it comes back; its `socket.recovered` is true when it is given the same
id again. So every fact to such a client ends with its seq as a string, and everything else ends with an object.

What the id stands for is in Redis: whose it is, where the client joined the feed (all there is before a first fact
has come), and what it watches. The token is verified anew each time. `recovered` is said only when the record is
there, is the same session's in the same app, what was watched can still be watched, and the gap can be replayed whole;
a lost Redis, another database or a cut log make a new id, never a silent hole.

Source: Socket.IO documentation, "Connection state recovery"; wire format of socket.io 4.6.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from redis.exceptions import RedisError

from hub.auth import ConnectAuth
from hub.gap import Gap
from hub.members import Member
from storage.base.errors import Busy, HubError
from storage.redis import recovery_key

REDIS_WAIT_S = 1.0
"""Longer is not worth a wait: the client then simply starts anew."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a private id stands for."""

    namespace: str
    sid: str
    name: str
    session_id: str
    epoch: str
    seq: int
    orders: list[str]
    map_area: str | None
    has_board: bool = False


class Recovery:
    """The private ids of this installation."""

    def __init__(
        self,
        redis: Any,  # noqa: ANN401 - redis-py's generics differ by release
        *,
        keep_s: int,
        read: Callable[[Member], Awaitable[Gap]],
        watch: Callable[[Member, str], Awaitable[object]],
        open_map: Callable[[Member, str], None],
        map_area: Callable[[Member], str | None],
        open_board: Callable[[Member], Awaitable[None]],
        has_board: Callable[[Member], bool],
        unwatch: Callable[[Member], None],
    ) -> None:
        """`read` gives the gap above a member's `since`; the others tell and show again what it watched."""
        self._redis = redis
        self._keep_s = keep_s
        self._read = read
        self._watch = watch
        self._open_map = open_map
        self._map_area = map_area
        self._open_board = open_board
        self._has_board = has_board
        self._unwatch = unwatch
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Record).decode

    async def begin(self, member: Member, auth: ConnectAuth) -> None:
        """Give the member its former id and gap when nothing is missing, else a new id, or none without Redis."""
        record = None if auth.pid is None else await self._load(auth.pid)
        if record is not None and await self._restore(member, record, auth.offset):
            member.link.pid, member.link.sid = auth.pid, record.sid
            return
        self._unwatch(member)
        member.since, member.epoch = auth.since, auth.epoch
        member.gap = await self._read(member)
        member.link.pid = secrets.token_urlsafe(18)
        try:
            await self.remember(member)
        except Busy:
            member.link.pid = None

    async def remember(self, member: Member) -> None:
        """Write down what the member watches now. Raises Busy without Redis: what is not written must not be."""
        pid, gap = member.link.pid, member.gap
        if pid is None:
            return
        if gap is not None:
            member.joined_at = (gap.head.epoch, gap.head.last_seq)
        epoch, seq = member.joined_at
        record = Record(
            namespace=member.namespace,
            sid=member.link.sid,
            name=member.principal.name,
            session_id=member.principal.session_id,
            epoch=epoch,
            seq=seq,
            orders=sorted(member.watching),
            map_area=self._map_area(member),
            has_board=self._has_board(member),
        )
        try:
            async with asyncio.timeout(REDIS_WAIT_S):
                await self._redis.set(recovery_key(pid), self._encode(record), ex=self._keep_s)
        except (RedisError, OSError, TimeoutError) as problem:
            raise Busy from problem

    async def _load(self, pid: str) -> Record | None:
        try:
            async with asyncio.timeout(REDIS_WAIT_S):
                stored = await self._redis.get(recovery_key(pid))
            return None if stored is None else self._decode(stored)
        except (RedisError, OSError, TimeoutError, msgspec.DecodeError):
            return None

    async def _restore(self, member: Member, record: Record, offset: str | None) -> bool:
        """Whether the member is again what it was, its gap read and whole."""
        principal = member.principal
        is_same = (record.namespace, record.name, record.session_id) == (
            member.namespace,
            principal.name,
            principal.session_id,
        )
        if not is_same or (offset is not None and not offset.isdecimal()):
            return False
        try:
            for order_id in record.orders:
                await self._watch(member, order_id)
            if record.map_area is not None:
                self._open_map(member, record.map_area)
            if record.has_board:
                await self._open_board(member)
        except HubError:
            return False
        member.since, member.epoch = record.seq if offset is None else int(offset), record.epoch
        gap = await self._read(member)
        if gap.reason is not None:
            return False
        member.gap, member.joined_at = gap, (record.epoch, record.seq)
        return True
