"""A process that pays is killed at each of its steps; other flows at some of theirs (`crashing --all`: at all)."""

from __future__ import annotations

import random

import pytest

from rest.money import wallet
from tests.money import crashing
from tests.money.crashing import FLOWS, Flow, Killer, Setting, begin_chosen, is_paid_or_untouched
from tests.money.street import Street

DEATHS = 3


@pytest.mark.timeout(180)
async def test_paying_from_the_wallet_survives_death_at_every_step(pg_server: str) -> None:
    async with Killer.open(pg_server, "pay_wallet") as killer:
        deaths, wrong = await killer.every(iter(range(1, 10_000)))
    assert wrong == []
    assert deaths > 20


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", [name for name in FLOWS if name != "pay_wallet"])
async def test_the_others_survive_death_at_some_steps(pg_server: str, name: str) -> None:
    seed = random.SystemRandom().randrange(10**6)
    steps = random.Random(seed).sample(range(1, 80), DEATHS)
    print(f"seed {seed}: {steps}")
    async with Killer.open(pg_server, name) as killer:
        for nth in steps:
            assert (nth, (await killer.at(nth))[1]) == (nth, [])
        assert await killer.at(10_000) == (True, [])


async def test_money_taken_in_a_transaction_of_its_own_is_found_out(
    pg_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others do: take the money, commit, and then see to the order."""

    async def in_two_halves(street: Street, setting: Setting) -> None:
        order = setting.job.order
        await street.db.run(wallet.pay, order.customer_id, order.id, 40_900, "half")
        await street.db.run(wallet.refund, order.customer_id, order.id, 40_900, "other half")

    monkeypatch.setitem(crashing.FLOWS, "halves", Flow(begin_chosen, in_two_halves, is_paid_or_untouched))
    async with Killer.open(pg_server, "halves") as killer:
        deaths, wrong = await killer.every(iter(range(1, 100)))
    assert deaths < 20
    assert any("i14_escrow" in fault for fault in wrong)
