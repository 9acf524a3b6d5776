"""Sixteen clients for a moment; `python -m tests.money.crowd` has them at work for long."""

from __future__ import annotations

import random
from typing import Any

import pytest

from rest.money import wallet
from tests.money import crowd

OPERATIONS = 600


@pytest.mark.timeout(120)
async def test_whatever_sixteen_clients_do_the_money_is_right(pg_server: str) -> None:
    seed = random.SystemRandom().randrange(10**6)
    here, wrong = await crowd.run(pg_server, operations=OPERATIONS, clients=crowd.CLIENTS, seed=seed)
    print(f"seed {seed}: {here.witness.answers.most_common(12)}")
    assert wrong == []
    assert here.done >= OPERATIONS
    assert here.witness.answers["pay: ok"] + here.witness.answers["go_on: ok"] > 50


@pytest.mark.timeout(120)
async def test_the_witness_notices_what_it_was_not_told(pg_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody fills wallets behind everybody's back: the book is right, the promise is not."""

    async def behind_our_back(self: Any) -> None:
        ref = f"slip:{self.done}"
        await self.db.run(wallet.credit, self.customers[0], 1, ref, "slip")

    monkeypatch.setattr(crowd.Crowd, "give", behind_our_back)
    monkeypatch.setitem(crowd.OPERATIONS, "give", 30)
    _, wrong = await crowd.run(pg_server, operations=60, clients=4, seed=1)
    assert wrong
    assert all("was given and has not spent" in fault for fault in wrong)
