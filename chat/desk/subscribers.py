"""What conversations tell and the desk hears: who said something counts towards turns, promises and ratings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chat.conversations import Role
from chat.desk.actions import threads
from storage.base.facts import Fact
from storage.jobs import Subscriber, Subscribers
from storage.tx import Tx

_CUSTOMERS = (Role.CUSTOMER.value, Role.WORKER.value)
_STAFF = (Role.AGENT.value, Role.SUPERVISOR.value)


def _wants(fact: Fact) -> bool:
    return getattr(fact, "sender_role", "") in (*_CUSTOMERS, *_STAFF)


async def on_said(tx: Tx, fact: dict[str, Any]) -> None:
    """A customer asks or an agent answers. It counts from when it was said, not from when we hear of it."""
    at = datetime.fromisoformat(fact["said_at"])
    if fact["sender_role"] in _CUSTOMERS:
        await threads.hear(tx, fact["conversation_id"], at=at)
    else:
        await threads.reply(tx, fact["conversation_id"], fact["sender_id"], at=at)


SUBSCRIBERS: Subscribers = {"message.said": (Subscriber(on_said, _wants),)}
