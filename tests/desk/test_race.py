"""Capacity under a real race, on real connections, beside a control that counts before it writes."""

from __future__ import annotations

from tests.chaos.assignment import run


async def test_nobody_ever_holds_more_than_the_cap(pg_server: str) -> None:
    """A1, A2, W2: at any moment of the race. The same race breaks what counts outside the lock."""
    naive, locked, wrong = await run(pg_server, agents=12, connections=12, chats=240, seconds=15)
    assert locked.given == 240
    assert (locked.over_agents, wrong) == (set(), [])
    assert naive.over_agents, "the control held: this race proves nothing"
