"""Typing, viewing and digests: what is told live of conversations, and how a silent loss is found.

A signal goes to the audiences of a conversation, on this hub at once and on others over the bus; of the same person in
the same conversation the last one counts. Who is served hears that somebody writes, not who. Nothing is kept: a signal
is over by itself when it is not repeated.

Every half minute each socket is told how far its open conversations are. Facts do not get lost between hub and feed,
but programs of others have faults and so have ours: a client that holds less than its digest says asks for the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec

from hub.bus import Bus
from hub.members import DESK, Audiences, Member
from hub.ports import DeskCaller
from hub.signals import Signal
from hub.transport.packets import Frame, event_frame
from storage.base import codec

BATCH_MAX = 500
"""Accounts in one read of digests."""

ReadDigests = Callable[[Sequence[DeskCaller]], Awaitable[Mapping[str, Mapping[str, int]]]]


class Typing(msgspec.Struct, frozen=True):
    """`typing`: somebody writes; over after five seconds. `account_id` is told to staff alone."""

    conversation_id: str
    role: str
    is_on: bool
    account_id: str | None = None


class Viewing(msgspec.Struct, frozen=True):
    """`viewing`: a colleague has it open; over after fifteen seconds."""

    conversation_id: str
    role: str
    is_on: bool
    account_id: str


class Digest(msgspec.Struct, frozen=True):
    """`digest`: open conversation → the last message of it that you see. Ask (`sync`) for what you do not have."""

    conversations: dict[str, int]


class Talking:
    """The signals of this hub."""

    def __init__(self, audiences: Audiences, bus: Bus) -> None:
        self._audiences = audiences
        self._bus = bus
        bus.hear_signals(self.hear)

    def tell(self, signal: Signal) -> None:
        """Here and on other hubs."""
        self.hear(signal)
        self._bus.signal(signal)

    def hear(self, signal: Signal) -> None:
        """Show it to those in its audiences, but for whom it is about."""
        frames: dict[str, Frame] = {}
        key = f"{signal.event} {signal.conversation_id} {signal.account_id}"
        for member in self._audiences.listeners(signal.to):
            if member.principal.account_id == signal.account_id or member.buffered is not None:
                continue
            namespace = member.namespace
            if signal.event == "viewing" and namespace != DESK:
                continue
            if namespace not in frames:
                frames[namespace] = event_frame(namespace, signal.event, codec.dumps(_body(signal, namespace)))
            member.send_live(key, frames[namespace])


def _body(signal: Signal, namespace: str) -> msgspec.Struct:
    if signal.event == "viewing":
        return Viewing(signal.conversation_id, signal.role, signal.is_on, signal.account_id)
    account_id = signal.account_id if namespace == DESK else None
    return Typing(signal.conversation_id, signal.role, signal.is_on, account_id)


class Digests:
    """Tells every member now and then how far its conversations are."""

    def __init__(self, members: Callable[[], Iterable[Member]], read: ReadDigests, *, every_s: float) -> None:
        self._members = members
        self._read = read
        self._every_s = every_s

    async def run_once(self) -> None:
        """Wait for the time, then tell everybody, some accounts at once."""
        await asyncio.sleep(self._every_s)
        await self.tell_all()

    async def tell_all(self) -> None:
        for is_desk in (True, False):
            waiting: dict[str, list[Member]] = {}
            for member in self._members():
                if (member.namespace == DESK) is is_desk and member.principal.account_id and member.buffered is None:
                    waiting.setdefault(member.principal.account_id, []).append(member)
            everybody = list(waiting)
            for start in range(0, len(everybody), BATCH_MAX):
                accounts = everybody[start : start + BATCH_MAX]
                callers: list[DeskCaller] = []
                for who in accounts:
                    principal = waiting[who][0].principal
                    callers.append((who, principal.roles if is_desk else None, principal.tenant_id))
                found = await self._read(callers)
                for who, seqs in found.items():
                    for member in waiting[who]:
                        self._tell(member, dict(seqs))

    def _tell(self, member: Member, seqs: dict[str, int]) -> None:
        if not member.is_closing:
            member.link.send_live("digest", event_frame(member.namespace, "digest", codec.dumps(Digest(seqs))))
