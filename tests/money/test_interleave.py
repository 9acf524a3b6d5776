"""A bounded part of the schedules of `interleave`, and proof that it finds what it is there to find."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.money.interleave import SCENES, Play
from tests.money.stepping import Actor, Choice, Explorer, Op, independent, op_of

SAMPLE = 3
"""Orders of all actors of a scene. Counted, not timed: the machine may be busy."""
WALKED = {
    "open": ("pay", "notify"),
    "over": ("expire", "notify"),
    "mixed_open": ("cancel", "notify"),
    "mixed_over": ("expire", "notify"),
    "deciding": ("notify", "refund"),
    "done": ("refund_most", "refund_some"),
}
"""A pair of each scene, in every order there is."""

NO_LOCK = {
    r"homeservice_hold\(\$1, \$2, \$3\)": "(SELECT $2::text, $3::text[]) AS held",
    r"FOR (NO KEY )?UPDATE( OF \w+(, \w+)*)?": "",
}
NO_VERSION = {r"WHERE id = \$1 AND version = \$2": "WHERE id = $1 AND $2::int IS NOT NULL"}


@asynccontextmanager
async def playing(server: str, name: str) -> AsyncIterator[Play]:
    async with Play.open(server, name) as play:
        yield play


def test_statements_are_taken_for_more_than_they_are_rather_than_for_less() -> None:
    assert op_of("SELECT id FROM orders WHERE id = $1") == Op("read", frozenset({"orders"}))
    assert op_of("SELECT id FROM orders AS o JOIN calls c ON true FOR NO KEY UPDATE OF o") == Op(
        "lock", frozenset({"orders", "calls"})
    )
    assert op_of("INSERT INTO jobs (kind) VALUES ($1) ON CONFLICT (key) DO UPDATE SET kind = $1") == Op(
        "write", frozenset({"jobs"})
    )
    assert op_of("WITH gone AS (DELETE FROM jobs), x (a) AS (SELECT 1) SELECT FROM gone JOIN (SELECT FROM x) y") == Op(
        "write", frozenset({"jobs"})
    )
    assert op_of("SELECT FROM homeservice_hold($1, $2, $3)") == Op(
        "lock", frozenset({"orders", "homeservice_orders", "workers", "gate"})
    )
    assert op_of("SELECT something_new($1)") == Op("write", frozenset({"*"}))
    assert op_of("COMMIT").kind == "end"


def test_what_may_change_places() -> None:
    read, write, other = (
        Op(kind, frozenset({table})) for kind, table in (("read", "a"), ("write", "a"), ("write", "b"))
    )
    end = Op("end", frozenset({"a"}), shows=frozenset({"a"}))
    assert independent(read, read)
    assert independent(read, write)
    assert not independent(read, end)
    assert not independent(write, write)
    assert independent(write, other)
    assert not independent(write, end)
    assert independent(other, end)
    only_locked = Op("end", frozenset({"a"}))
    assert independent(read, only_locked)
    assert not independent(write, only_locked)
    everything = Op("write", frozenset({"*"}))
    assert not independent(write, everything)
    assert independent(read, everything)


def test_rows_of_a_table_are_told_apart_where_the_statement_names_them() -> None:
    timer, same, table = (Op("write", frozenset({name})) for name in ("jobs#a", "jobs#a", "jobs"))
    assert not independent(timer, same)
    assert not independent(timer, table)
    assert not independent(table, timer)
    assert independent(timer, Op("write", frozenset({"jobs#b"})))


def test_who_comes_to_a_shut_gate_may_come_at_any_time() -> None:
    inside = Op("write", frozenset({"orders"}), holds=frozenset({"gate"}))
    comes = Op("lock", frozenset({"orders", "gate"}))
    assert independent(inside, comes)
    assert independent(comes, inside)
    assert not independent(comes, comes)
    assert not independent(comes, Op("end", frozenset({"orders", "gate"})))
    assert not independent(comes, Op("write", frozenset({"orders"})))


Event = tuple[str, int]
STATEMENTS = ("SELECT x FROM a", "SELECT x FROM b", "UPDATE a SET x = 1", "UPDATE b SET x = 1", "DELETE FROM c")
SHUT = "SELECT homeservice_hold($1, $2, $3)"
transactions = st.tuples(st.booleans(), st.lists(st.sampled_from(STATEMENTS), max_size=2)).map(
    lambda drawn: [*([SHUT] if drawn[0] else []), *drawn[1], "COMMIT"]
)
scripts = st.lists(transactions, min_size=1, max_size=2).map(lambda made: [sql for one in made for sql in one])
casts = st.lists(scripts, min_size=2, max_size=3).filter(lambda cast: sum(map(len, cast)) <= 9)


class Rehearsal:
    """Scripts with the gate, and without a database: who comes to the gate when it is shut waits his turn there."""

    def __init__(self, cast: list[list[str]]) -> None:
        self.left = {str(n): list(script) for n, script in enumerate(cast)}
        self.actors = {name: Actor(name, None) for name in self.left}
        self.queue: list[str] = []
        self.played: list[tuple[Event, Op]] = []

    def choice(self) -> Choice:
        """Those who have something left and do not stand at the gate."""
        free = [name for name, sqls in self.left.items() if sqls and name not in self.queue[1:]]
        for name in free:
            self.actors[name].sql = self.left[name][0]
        return Choice({name: self.actors[name].op for name in free}, {})

    def let(self, name: str) -> None:
        actor, sql = self.actors[name], self.left[name].pop(0)
        op = actor.op
        self.played.append(((name, len(self.left[name])), op))
        actor.note(op)
        if sql == SHUT:
            self.queue.append(name)
        elif sql == "COMMIT":
            actor.anew()
            self.queue = [other for other in self.queue if other != name]

    @property
    def trace(self) -> frozenset[tuple[Event, Event]]:
        """The order of those who notice each other: all that tells one schedule from another."""
        pairs = ((one, other) for n, one in enumerate(self.played) for other in self.played[n + 1 :])
        return frozenset((one[0], other[0]) for one, other in pairs if not independent(one[1], other[1]))


def rehearsed(cast: list[list[str]], explorer: Explorer) -> list[frozenset[tuple[Event, Event]]]:
    traces = []
    while not explorer.is_done:
        rehearsal = Rehearsal(cast)
        while (choice := rehearsal.choice()).enabled and (name := explorer.choose(choice)) is not None:
            rehearsal.let(name)
        is_whole = not rehearsal.choice().enabled
        if is_whole:
            traces.append(rehearsal.trace)
        explorer.back(complete=is_whole)
    return traces


def test_two_who_meet_in_one_table() -> None:
    """Twenty orders of three statements each; two of them differ to somebody."""
    cast = [["SELECT x FROM c", "UPDATE a SET x = 1", "COMMIT"], ["UPDATE b SET x = 1", "SELECT x FROM a", "COMMIT"]]
    assert len(rehearsed(cast, Explorer(reduce=False))) == 20
    assert len(rehearsed(cast, Explorer())) == 2


@settings(max_examples=60, deadline=None)
@given(casts)
def test_every_schedule_that_differs_to_somebody_is_walked_once(cast: list[list[str]]) -> None:
    walked = rehearsed(cast, Explorer())
    assert len(walked) == len(set(walked))
    assert set(walked) == set(rehearsed(cast, Explorer(reduce=False)))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCENES)
async def test_a_pair_in_every_order_and_all_actors_in_orders_drawn_at_random(pg_server: str, name: str) -> None:
    seed = random.SystemRandom().randrange(10**6)
    async with playing(pg_server, name) as play:
        whole = await play.whole(WALKED[name])
        found = await play.sampled(list(play.scene.cast), count=SAMPLE, dice=random.Random(seed))
    print(f"{name}, seed {seed}: {whole}; {found}")
    assert whole.wrong + found.wrong == []
    assert whole.is_whole
    assert whole.schedules > 1
    assert found.schedules == SAMPLE


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("name", "cast", "twists"),
    [
        ("open", ("pay", "notify"), NO_LOCK | NO_VERSION),
        ("mixed_over", ("expire", "notify"), NO_LOCK | NO_VERSION),
        ("deciding", ("refund", "save"), NO_LOCK | NO_VERSION),
    ],
)
async def test_a_kernel_without_its_locks_is_found_out(
    pg_server: str, name: str, cast: tuple[str, ...], twists: dict[str, str]
) -> None:
    """Neither the order's lock nor its version is looked at: two of them act on the same state."""
    async with playing(pg_server, name) as play:
        legal = await play.serial(cast)
        play.stage.twists = twists
        found = await play.whole(cast, limit=15, legal=legal)
        assert play.stage.twisted_count > 8
    assert found.wrong
