"""Turns are fair, one at a time for a key, and leave nothing behind."""

from __future__ import annotations

import asyncio

import pytest

from storage.turns import Turns


async def test_one_at_a_time_for_a_key_in_the_order_of_arrival() -> None:
    turns, inside, order = Turns(), 0, []

    async def work(n: int) -> None:
        nonlocal inside
        async with turns.take("call"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            order.append(n)
            inside -= 1

    await asyncio.gather(*(work(n) for n in range(50)))
    assert order == list(range(50))
    assert len(turns) == 0


async def test_other_keys_do_not_wait() -> None:
    turns = Turns()
    async with turns.take("one"), asyncio.timeout(1), turns.take("other"):
        assert len(turns) == 2


async def test_a_failure_or_a_cancelled_wait_leaves_the_queue_whole() -> None:
    turns = Turns()
    with pytest.raises(RuntimeError):
        async with turns.take("call"):
            raise RuntimeError

    async def wait() -> None:
        async with turns.take("call"):
            pass

    async with turns.take("call"):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert len(turns) == 0
    await wait()
