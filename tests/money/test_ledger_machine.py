"""Random posting, rolling up and clocks that disagree, compared step by step with the pure book."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from rest.money import ledger
from rest.money.ledger import store
from storage.base.clock import ManualClock
from storage.postgres import Database
from tests.conftest import MONDAY, wipe
from tests.money.book import NAMES, Book
from tests.money.racing import redefine

CNY = sorted(code for code in NAMES.values() if not code.endswith("points"))
PTS = sorted(code for code in NAMES.values() if code.endswith("points"))
amounts = st.integers(1, 4)  # few, so that balances meet their floors to the last fen
refs = st.sampled_from([f"ref{n}" for n in range(40)])
kinds = st.sampled_from(["pay", "refund"])
minutes = st.integers(0, 9)


@st.composite
def transfers(draw: Any) -> list[tuple[str, int]]:
    """Balanced entries over two to five accounts, sometimes naming one twice, sometimes in two units."""
    entries: list[tuple[str, int]] = []
    for codes in [CNY] + ([PTS] if draw(st.booleans()) else []):
        giver, *takers = draw(st.permutations(codes))[: draw(st.integers(2, 5))]
        source = "platform:topup" if codes is CNY else "platform:points"
        if source not in takers and draw(st.booleans()):
            giver = source  # else nobody would ever have anything to give
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
            self.noted: tuple[int | None, int | None] = (None, None)

        @initialize()
        def connect(self) -> None:
            self.db = self.runner.run(Database.connect(url, clock=ManualClock(MONDAY), pool_size=1))
            self.runner.run(wipe(self.db))

        @rule(ref=refs, kind=kinds, entries=transfers(), overdraw=st.booleans(), minute=minutes)
        def post(self, ref: str, kind: str, entries: list[tuple[str, int]], overdraw: bool, minute: int) -> None:
            """Each transfer has an instant of its own: processes' clocks differ and transactions wait."""
            self.db.clock = ManualClock(MONDAY + timedelta(minutes=minute))
            expected = self.book.post(ref, kind, entries, overdraw=overdraw, at=self.db.clock.now())
            assert self.runner.run(self._post(ref, kind, entries, overdraw)) == expected

        @rule(ref=refs, amount=amounts, overdraw=st.booleans(), minute=minutes)
        def penalty(self, ref: str, amount: int, overdraw: bool, minute: int) -> None:
            entries = [(NAMES["wu"], -amount), (NAMES["rev"], amount)]
            self.post(ref=ref, kind="penalty", entries=entries, overdraw=overdraw, minute=minute)

        @rule(ref=refs, amount=amounts, minute=minutes)
        def income(self, ref: str, amount: int, minute: int) -> None:
            entries = [(NAMES["rev"], -amount), (NAMES["wu"], amount)]
            self.post(ref=ref, kind="income", entries=entries, overdraw=False, minute=minute)

        @rule()
        def roll_up(self) -> None:
            self.runner.run(self._roll_up())

        async def _roll_up(self) -> None:
            async with self.db.begin() as tx:
                _, *noted = await store.roll_up(tx, *self.noted)
            self.noted = (noted[0], noted[1])

        @rule(minute=minutes)
        def look_back(self, minute: int) -> None:
            self.runner.run(self._look_back(MONDAY + timedelta(minutes=minute)))

        async def _look_back(self, at: datetime) -> None:
            async with self.db.begin() as tx:
                for code in NAMES.values():
                    assert await ledger.balance_at(tx, code, at) == self.book.balance_at(code, at), (code, at)

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


RUN = settings(max_examples=15, stateful_step_count=40)
SEARCH = settings(RUN, phases=[Phase.generate], derandomize=True, max_examples=40)


@pytest.mark.timeout(120)
def test_the_ledger_and_the_pure_book_agree(looped_book_url: str) -> None:
    run_state_machine_as_test(machine(looped_book_url), settings=RUN)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("function", "changes"),
    [
        ("ledger_checkpoint", {"min(at)": "max(at)"}),
        ("ledger_checkpoint", {"max(at)": "min(at)"}),
        ("ledger_checkpoint", {"coalesce(v_last.balance_fen, 0) + sum": "sum"}),
        ("ledger_checkpoint", {"       sum(amount_fen), coalesce": "       sum(amount_fen) + 1, coalesce"}),
        ("ledger_post", {"v_balances[i] < v_floors[i]": "v_balances[i] <= v_floors[i]"}),
        ("ledger_post", {"p_amounts[i] < 0 AND v_balances": "v_balances"}),
    ],
)
def test_the_machine_finds_a_mistake(looped_book_url: str, function: str, changes: dict[str, str]) -> None:
    asyncio.run(redefine(looped_book_url, function, changes))
    with pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(machine(looped_book_url), settings=SEARCH)
