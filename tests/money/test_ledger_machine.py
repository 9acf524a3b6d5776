"""Random posting compared, step by step, with the pure book."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from rest.money import ledger
from storage.base.clock import ManualClock
from storage.postgres import Database
from tests.conftest import MONDAY, wipe
from tests.money.book import NAMES, Book

CNY = sorted(code for code in NAMES.values() if not code.endswith("points"))
PTS = sorted(code for code in NAMES.values() if code.endswith("points"))
amounts = st.integers(1, 60)
refs = st.sampled_from([f"ref{n}" for n in range(12)])
kinds = st.sampled_from(["pay", "refund"])


@st.composite
def transfers(draw: Any) -> list[tuple[str, int]]:
    """Balanced entries over two to five accounts, sometimes naming one twice, sometimes in two units."""
    entries: list[tuple[str, int]] = []
    for codes in [CNY] + ([PTS] if draw(st.booleans()) else []):
        giver, *takers = draw(st.permutations(codes))[: draw(st.integers(2, 5))]
        parts = [(code, draw(amounts)) for code in takers]
        split = draw(st.integers(1, sum(n for _, n in parts)))
        entries += [*parts, (giver, -split)]
        if split < sum(n for _, n in parts):
            entries.append((giver, split - sum(n for _, n in parts)))
    return list(draw(st.permutations(entries)))


def machine(url: str) -> type[RuleBasedStateMachine]:
    """The state machine bound to a database; it owns its loop because Hypothesis is synchronous."""

    class LedgerMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.runner = asyncio.Runner()
            self.book = Book()

        @initialize()
        def connect(self) -> None:
            self.db = self.runner.run(Database.connect(url, clock=ManualClock(MONDAY), pool_size=1))
            self.runner.run(wipe(self.db))

        @rule(ref=refs, kind=kinds, entries=transfers(), overdraw=st.booleans())
        def post(self, ref: str, kind: str, entries: list[tuple[str, int]], overdraw: bool) -> None:
            expected = self.book.post(ref, kind, entries, overdraw=overdraw)
            assert self.runner.run(self._post(ref, kind, entries, overdraw)) == expected

        async def _post(self, ref: str, kind: str, entries: list[tuple[str, int]], overdraw: bool) -> str:
            async with self.db.begin() as tx:
                try:
                    posted = await ledger.post(tx, ref=ref, kind=kind, entries=entries, overdraw=overdraw)
                except ledger.InsufficientFunds:
                    return "short"
                except ledger.RefReused:
                    return "ref_reused"
                return "repeated" if posted.repeated else "posted"

        @invariant()
        def same_book(self) -> None:
            self.runner.run(self._compare())

        async def _compare(self) -> None:
            async with self.db.begin() as tx:
                assert await ledger.verify(tx) == []
                for code in NAMES.values():
                    assert await ledger.balance(tx, code) == self.book.balances[code], code

        def teardown(self) -> None:
            self.runner.run(self.db.close())
            self.runner.close()

    return LedgerMachine


@pytest.mark.timeout(60)
def test_the_ledger_and_the_pure_book_agree(pg_url: str) -> None:
    run_state_machine_as_test(machine(pg_url), settings=settings(max_examples=15, stateful_step_count=20))
