"""Many payments over both channels at once, their news repeated, shuffled, broken: each fen is booked once."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from rest.lines.homeservice.model import Job
from tests.money.channels.conftest import BOTH, Till

ORDERS = 16
REPEATS_MAX = 8
LIMIT_S = 5
"""A channel waits this long for an acknowledgement."""


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_fen_is_booked_once(till: Till, seed: int) -> None:
    dice = random.Random(seed)
    made: list[tuple[Job, str, str]] = []
    for _ in range(ORDERS):
        channel = dice.choice(BOTH)
        made.append((*await till.ready(channel), channel))
    for _, number, channel in made:
        await till.press(number, channel=channel)
    calls = [(news, dice.choice([None] * 6 + ["corrupt", "probe"])) for news in await till.owed()
             for _ in range(dice.randint(1, REPEATS_MAX))]  # fmt: skip
    calls += [(news, None) for news in await till.owed()]
    dice.shuffle(calls)
    waits: list[float] = []

    async def courier(mine: list[tuple[int, str | None]]) -> None:
        for news, fault in mine:
            began = time.perf_counter()
            (status,) = await till.deliver(news, fault=fault)
            waits.append(time.perf_counter() - began)
            assert (status == 200) == (fault is None)

    async def worker() -> None:
        while len(waits) < len(calls):
            await till.run()
            await asyncio.sleep(0)

    await asyncio.gather(worker(), *(courier(calls[n::8]) for n in range(8)))
    await till.run()
    assert [await till.status(job) for job, _, _ in made] == ["paid"] * ORDERS
    for channel in BOTH:
        count = sum(one == channel for _, _, one in made)
        assert await till.balances(channel) == (-40_900 * count, 0, 0)
    assert await till.outcomes() == ["passed_on"] * ORDERS
    assert await till.town.faults() == []
    waits.sort()
    print(f"{len(calls)} notifications: median {waits[len(waits) // 2] * 1000:.0f} ms, worst {waits[-1] * 1000:.0f} ms")
    assert waits[-1] < LIMIT_S
