"""Who may do what with a thread is asked when nobody else can change it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from chat import desk
from chat.conversations import MembersOnly
from chat.desk import Thread, errors
from rest.desk.support import acts
from tests.desk.conftest import Desk

Change = Callable[[Any, Thread], Awaitable[Any]]


@dataclass(frozen=True)
class Staff:
    """Support of the platform."""

    account_id: str
    roles: frozenset[str] = frozenset({"support"})
    tenant_id: str | None = None


async def behind(place: Desk, thread: Thread, change: Change, act: Callable[[Any], Awaitable[Any]]) -> Any:
    """What comes of `act`, which waits for the thread's row until `change` has been committed."""
    async with place.db.begin() as tx:
        await change(tx, thread)
        waiting = asyncio.create_task(place.db.run(act))
        async with asyncio.timeout(10):
            while not await place.db.run(_somebody_waits):
                await asyncio.sleep(0.01)
        assert not waiting.done()
    return await waiting


async def _somebody_waits(tx: Any) -> bool:
    found: bool = await tx.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
    )
    return found


async def test_who_loses_a_thread_meanwhile_cannot_end_it(place: Desk) -> None:
    await place.open()
    sue, boss = await place.agent("sue"), await place.agent("boss", is_supervisor=True, queues=[], online=False)
    thread = await place.come()
    assert await place.serve(thread) == sue

    async def take_over(tx: Any, thread: Thread) -> None:
        await desk.take_over(tx, thread.conversation_id, by_id=boss, note="mine")

    with pytest.raises(errors.NotYours):
        await behind(place, thread, take_over, lambda tx: acts.resolve(tx, Staff(sue), thread.conversation_id, None))
    assert (await place.thread(thread)).assignee_id == boss


async def test_who_is_behind_a_wall_meanwhile_cannot_touch_it(place: Desk) -> None:
    await place.open()
    walled = (await place.queue(name="repair", members_only=True)).id
    sue, boss = await place.agent("sue"), await place.agent("boss", is_supervisor=True, queues=[], online=False)
    thread = await place.come()
    assert await place.serve(thread) == sue

    async def move(tx: Any, thread: Thread) -> None:
        await desk.transfer_to_queue(tx, thread.conversation_id, walled, by_id=boss, note="a repair")

    with pytest.raises(MembersOnly):
        await behind(
            place, thread, move, lambda tx: acts.set_severity(tx, Staff(sue), thread.conversation_id, "high")
        )
    assert (await place.thread(thread)).severity is desk.Severity.NORMAL
