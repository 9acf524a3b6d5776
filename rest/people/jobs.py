"""Work of people outside requests: sending codes (talks to the outside) and forgetting what has run out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from rest.people import store
from rest.people.actions import SEND_CODE
from rest.people.auth import Keys
from rest.people.senders import CodeSender
from storage.base.clock import Clock
from storage.base.log import log
from storage.tx import Tx

PURGE = "people.purge"
PURGE_EVERY = timedelta(hours=1)
PURGE_MAX = 5_000
"""Rows forgotten at once; the rest follows at once, so that no transaction is long."""
SESSION_KEPT = timedelta(days=30)
"""A session that ran out stays this long, to answer who was signed in when."""

Payload = dict[str, Any]


def outside_jobs(keys: Keys, sender: CodeSender, clock: Clock) -> dict[str, Callable[[Payload], Awaitable[None]]]:
    """Kind to job, for the runner's `outside`."""

    async def send_code(payload: Payload) -> None:
        phone = payload["phone"]
        left_s = int((datetime.fromtimestamp(payload["expires_at"], UTC) - clock.now()).total_seconds())
        if left_s <= 0:
            log("sign_in.code_not_sent", level="warning", phone=phone, reason="expired")
            return
        await sender.send(phone, keys.open_code(phone, payload["sealed"]), ttl_s=left_s)
        log("sign_in.code_sent", phone=phone)

    return {SEND_CODE: send_code}


async def purge(tx: Tx, _payload: Payload) -> None:
    """Forget codes of past hours and sessions long gone; comes back by itself."""
    codes = await store.purge_codes(tx, tx.now - timedelta(hours=24), limit=PURGE_MAX)
    sessions = await store.purge_sessions(tx, tx.now - SESSION_KEPT, limit=PURGE_MAX)
    more = PURGE_MAX in {codes, sessions}
    tx.schedule(PURGE, PURGE, tx.now if more else tx.now + PURGE_EVERY, {})


async def begin_purging(tx: Tx) -> None:
    """Schedule the first round; called at start, harmless when repeated."""
    tx.schedule(PURGE, PURGE, tx.now, {})


DEADLINES = {PURGE: purge}
