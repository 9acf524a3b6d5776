"""The bench of conversations runs, and what it measured broke no promise."""

from __future__ import annotations

import pytest

from tests.bench import bench_talk


@pytest.mark.timeout(180)
def test_it_runs_and_breaks_nothing() -> None:
    figures = bench_talk.run(quick=True)
    assert figures["faults afterwards"] == 0
    assert all(value > 0 for name, value in figures.items() if name.endswith(" per s"))
