"""What operators do from the command line: make accounts with tokens, for staff, demonstrations and load tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rest.people import store
from rest.people.auth import Keys
from rest.people.model import Role
from storage.base.settings import Settings
from storage.postgres import Database
from storage.tx import Tx

PHONE_PREFIX = "+86190"
"""Numbers of made accounts: +86190 and eight digits, in order. Real people sign in with their own."""
PHONES_MAX = 10**8
BATCH = 1_000
ONE_AT_A_TIME = 7_310_002
"""Advisory lock: two commands at once must not take the same numbers."""

MakeWorkers = Callable[[Tx, Sequence[str]], Awaitable[Mapping[str, str]]]
"""Makes the dispatch workers of these accounts; account id to worker id. Given by the caller, who knows dispatch."""


async def create_accounts(
    db: Database,
    settings: Settings,
    role: str,
    count: int,
    *,
    ttl_s: int | None = None,
    make_workers: MakeWorkers | None = None,
) -> list[dict[str, Any]]:
    """Make `count` signed-in accounts of one role; what each needs to connect.

    Shape   {account_id, session_id, phone, role, access_token, access_expires_at, refresh_token, worker_id?}
    Bounds  `ttl_s` of the access tokens at most a day; a thousand accounts a transaction.
    Raises  ValueError for an unknown role, a count below one or a life too long.
    """
    if count < 1:
        raise ValueError("make at least one account")
    made_for = _Order(Keys(settings.secret), settings, Role(role), ttl_s or settings.access_ttl_s, make_workers)
    made: list[dict[str, Any]] = []
    while len(made) < count:
        size = min(BATCH, count - len(made))
        made += await db.run(_batch, made_for, size)
    return made


@dataclass(frozen=True, slots=True)
class _Order:
    """What was asked for, the same in every batch."""

    keys: Keys
    settings: Settings
    role: Role
    ttl_s: int
    make_workers: MakeWorkers | None


async def _batch(tx: Tx, order: _Order, size: int) -> list[dict[str, Any]]:
    phones = await _next_phones(tx, size)
    roles = sorted({Role.USER.value, order.role.value})
    account_ids = [tx.new_id("acc") for _ in range(size)]
    await store.add_accounts(tx, account_ids, phones, roles)
    session_ids = [tx.new_id("ses") for _ in range(size)]
    refreshes = [order.keys.refresh_token(session_id, 1) for session_id in session_ids]
    expires_at = tx.now + timedelta(seconds=order.settings.refresh_ttl_s)
    await store.add_sessions(tx, session_ids, account_ids, [refresh.hash for refresh in refreshes], expires_at)
    workers = await order.make_workers(tx, account_ids) if order.make_workers is not None else {}
    lines = []
    for account_id, session_id, phone, refresh in zip(account_ids, session_ids, phones, refreshes, strict=True):
        access = order.keys.issue(session_id, account_id, frozenset(roles), tx.now, order.ttl_s)
        line = {
            "account_id": account_id,
            "session_id": session_id,
            "phone": phone,
            "role": order.role.value,
            "access_token": access.text,
            "access_expires_at": access.expires_at,
            "refresh_token": refresh.text,
        }
        if account_id in workers:
            line["worker_id"] = workers[account_id]
        lines.append(line)
    return lines


async def _next_phones(tx: Tx, size: int) -> list[str]:
    await tx.execute("SELECT pg_advisory_xact_lock($1)", ONE_AT_A_TIME)
    last = await store.last_phone(tx, PHONE_PREFIX)
    first = int(last.removeprefix(PHONE_PREFIX)) + 1 if last is not None else 0
    if first + size > PHONES_MAX:
        raise ValueError("the numbers of made accounts are used up")
    return [f"{PHONE_PREFIX}{n:08}" for n in range(first, first + size)]
