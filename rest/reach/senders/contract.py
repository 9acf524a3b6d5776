"""The contract of a sender: an envelope in, and what the provider did with it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from rest.money.channels.calls import Answered, Calls
from rest.money.channels.errors import ChannelUnreachable
from rest.reach.model import Channel
from storage.base import codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One thing to send to one place. `id` is the delivery's; `links` is what the app opens, no words in it.

    `ticket`: what the provider knows this very sending by, None before there is one. `address` never shows itself.
    """

    id: str
    channel: Channel
    platform: str
    address: str = field(repr=False)
    kind: str
    language: str
    title: str
    body: str
    values: Mapping[str, str]
    links: Mapping[str, str]
    collapse_key: str | None
    ttl_s: int
    is_urgent: bool
    attempt: int
    ticket: str | None


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider has it, under this number of its own."""

    ref: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """Not sent yet: remember this, then send again with it. It makes a second sending no second message."""

    text: str


class Refused(Exception):
    """The provider will never take this. `is_gone`: there is no such device any more."""

    def __init__(self, problem: str, *, is_gone: bool = False) -> None:
        super().__init__(problem)
        self.is_gone = is_gone


class NotNow(Exception):
    """The provider has answered that it will not take it now; with a new ticket it may, after so many seconds."""

    def __init__(self, problem: str, *, wait_s: float = 0) -> None:
        super().__init__(problem)
        self.wait_s = wait_s


class Unreachable(Exception):
    """Nobody knows whether the provider has it. Asked again with the same ticket, it says so."""


class Sender(Protocol):
    """Sends over one channel."""

    async def send(self, envelope: Envelope) -> Sent | Ticket:
        """Raises Refused, NotNow, Unreachable."""
        ...


async def call(
    calls: Calls, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None
) -> tuple[Answered, dict[str, Any]]:
    """An answer and its JSON object, {} where it is none. Raises Unreachable, without the address it was about."""
    try:
        answer = await calls.send(method, url, headers=headers, body=body)
    except ChannelUnreachable as problem:
        reason = type(problem.__cause__).__name__ if problem.__cause__ else "answer"
        raise Unreachable(f"unreachable: {reason}") from None
    try:
        found = codec.loads(answer.body)
    except ValueError:
        found = None
    return answer, found if isinstance(found, dict) else {}


def cut(text: str, length_max: int) -> str:
    """The beginning of a text that a provider limits."""
    return text if len(text) <= length_max else text[: length_max - 1] + "…"
