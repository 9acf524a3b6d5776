"""A small chaos, a few sleepers, some talk; `make soak` runs the large ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import run as chaos
from tests.chaos import slow, talk

ONCE = dict.fromkeys(chaos.FAULTS, 1.0)


@pytest.mark.timeout(90)
def test_while_everything_breaks_once_everybody_hears_each_fact_once_and_in_order(tmp_path: Path) -> None:
    plan = chaos.Plan(facts=6_000, seconds=10, cuts=1_500, people=16, faults=ONCE, drain_s=2)
    outcome = chaos.run(plan, tmp_path)
    assert outcome.broken == []
    figures = outcome.figures
    assert figures["facts committed"] == 6_000
    assert figures["heard"] > 6_000  # most facts are for more than one
    assert figures["recovered"] > 100
    assert figures["resyncs"] == 0
    assert all(figures[kind.replace("_", " ")] == 1 for kind in ONCE)


@pytest.mark.timeout(60)
def test_clients_too_far_behind_are_told_to_start_anew_and_only_those(tmp_path: Path) -> None:
    faults = {"hub_killed": 1.0, "hubs_rolled": 1.0}
    plan = chaos.Plan(facts=3_000, seconds=5, cuts=100, people=8, gap_max=20, faults=faults, drain_s=1)
    outcome = chaos.run(plan, tmp_path)
    assert outcome.broken == []
    assert outcome.figures["resyncs"] > 0
    assert outcome.figures["left out"] > 20


@pytest.mark.timeout(60)
def test_sleepers_are_closed_and_come_back_whole_while_the_others_hear_everything(tmp_path: Path) -> None:
    plan = slow.Plan(
        clients=100, sleepers=10, movers=5, facts_per_s=50, fact_bytes=8_000, phases="AB", phase_s=4,
        warm_s=0.5,
    )  # fmt: skip
    found = slow.run(plan, tmp_path)
    assert found.broken() == []
    assert found.closed == plan.sleepers


def test_what_is_said_while_hubs_die_and_sockets_are_cut_is_heard_once_and_in_order(tmp_path: Path) -> None:
    figures, wrong = talk.run(tmp_path, talk.Plan(customers=6, agents=2, seconds=5, faults=1))
    assert wrong == []
    assert figures["hub_killed"] == 1
    assert figures["heard"] == 2 * figures["messages"] > 0
