"""The bench of the ledger runs, and what it measured left a right book."""

from __future__ import annotations

import pytest

from tests.bench import bench_ledger


@pytest.mark.timeout(180)
def test_it_runs_and_leaves_a_right_book() -> None:
    figures = bench_ledger.run(quick=True)
    assert figures["faults in the book afterwards"] == 0
    assert figures["deadlocks, unit locked first"] == 0
    assert all(value > 0 for name, value in figures.items() if name.endswith(" per s"))
    assert figures["its balance, ms, rolled up"] < figures["its balance, ms, before"]
