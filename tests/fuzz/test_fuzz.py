"""Ten thousand inputs, the same ones each time; `python -m tests.fuzz.soak` makes as many others as one likes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

import pytest

from tests.fuzz import codec, frames, parsers
from tests.fuzz.battle import Battle, server

SEED = "suite"
PARSED, READ, ATTACKED = 6_000, 1_000, 3_000


async def test_frames_are_understood_like_by_the_reference() -> None:
    for number in range(PARSED):
        parsers.check(SEED, number)


def test_events_are_read_like_by_the_codec() -> None:
    for number in range(READ):
        codec.check(SEED, number)


@pytest.fixture(params=["asyncio", "uvloop"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    with server(*["--uvloop"] * (request.param == "uvloop")) as port:
        yield port


async def test_a_server_under_attack_serves_the_others_and_forgets_the_attackers(port: int) -> None:
    began = time.monotonic()
    async with Battle.begin(port, SEED) as battle:
        await battle.attack(ATTACKED // 2)
        await battle.account(seconds=time.monotonic() - began)
        await battle.make_peace()


async def test_the_generator_makes_sound_and_broken_frames_of_every_kind() -> None:
    ends = []
    for number in range(2_000):
        rng = Random(f"{SEED}:{number}")
        ends.append(parsers.theirs([frames.broken(rng, frames.conversation(rng))]).end)
    assert {ends.count(end) > 50 for end in (0, 1000, 1002, 1007, 1009)} == {True}
