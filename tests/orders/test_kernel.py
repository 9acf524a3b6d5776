"""The kernel on real PostgreSQL, with a line of its own: guarded writes, the timeline, repeats, access, the gate."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from rest.trade import orders
from rest.trade.orders import SYSTEM, By, Line, Machine, Order, Role, Step, Transition
from rest.trade.orders.store import ORDER_COLUMNS, order_of
from storage.base.errors import NotFound
from storage.postgres import Database, RetryTx
from storage.tx import Tx

ANN = By(Role.CUSTOMER, "acc_ann")
TEA = Machine(
    line="tea",
    statuses=("brewing", "ready", "drunk"),
    initial="brewing",
    terminal=frozenset({"drunk"}),
    table={
        ("brewing", "finish"): Transition(("ready",), frozenset({Role.SYSTEM}), ("pour", "ring")),
        ("ready", "drink"): Transition(("drunk",), frozenset({Role.CUSTOMER})),
    },
)


@dataclass(frozen=True)
class Cup:
    order: Order


@dataclass
class Kitchen:
    """What the effects and the follow-up have done."""

    done: list[str] = dataclasses.field(default_factory=list)

    def line(self) -> Line[Cup]:
        async def effect(tx: Tx, step: Step[Cup], name: str) -> None:
            self.done.append(f"{name} v{step.after.order.version}")

        return Line(
            machine=TEA,
            read=read,
            lock=lock,
            lock_bound=lock_bound,
            save=self.save,
            effects={name: (lambda tx, step, name=name: effect(tx, step, name)) for name in ("pour", "ring")},
            follow=lambda tx, step: effect(tx, step, "follow"),
        )

    async def save(self, tx: Tx, before: Cup, after: Cup) -> None:
        self.done.append("save")


async def read(tx: Tx, order_id: str) -> Cup | None:
    row = await tx.fetchrow(f"SELECT {ORDER_COLUMNS} FROM orders o WHERE id = $1", order_id)
    return None if row is None else Cup(order_of(row))


async def lock(tx: Tx, order_id: str, owner: str | None, workers: Sequence[str]) -> Cup | None:
    if await tx.fetchrow("SELECT FROM order_gate($1, $2)", order_id, owner) is None:
        return None
    await tx.execute("SELECT workers_hold($1)", list(workers))
    row = await tx.fetchrow(f"SELECT {ORDER_COLUMNS} FROM orders o WHERE o.id = $1 FOR NO KEY UPDATE", order_id)
    return Cup(order_of(row))


async def lock_bound(tx: Tx, order_id: str, worker_id: str) -> Cup | None:
    await tx.execute("SELECT workers_hold($1)", [worker_id])
    return await read(tx, order_id)


async def place(tx: Tx) -> str:
    order_id = tx.new_id("ord")
    await tx.execute(
        """
        SELECT order_place($1, $2, 'tea', 'cup', 'usual', NULL, 'acc_ann', NULL, 'brewing', 100, '{}', $3, $4, 'post')
        """,
        order_id,
        orders.new_no(tx.now),
        tx.now,
        str(ANN),
    )
    return order_id


async def test_a_step_writes_saves_runs_its_effects_in_order_and_follows(db: Database) -> None:
    kitchen = Kitchen()
    line = kitchen.line()
    order_id = await db.run(place)
    async with db.begin() as tx:
        cup = await orders.lock_for_system(tx, line, order_id)
        ready = await orders.apply(tx, line, cup, "finish", SYSTEM, data={"grams": 3})
    assert kitchen.done == ["save", "pour v2", "ring v2", "follow v2"]
    assert (ready.order.status, ready.order.version, ready.order.closed_at) == ("ready", 2, None)
    async with db.begin() as tx:
        assert await read(tx, order_id) == ready
        timeline = await orders.events(tx, order_id)
    assert [(event.n, event.actor, event.verb, event.from_status, event.to_status) for event in timeline] == [
        (1, "customer:acc_ann", "post", None, "brewing"),
        (2, "system", "finish", "brewing", "ready"),
    ]
    assert timeline[1].data == {"grams": 3}


async def test_a_terminal_step_closes_the_order(db: Database) -> None:
    line = Kitchen().line()
    order_id = await db.run(place)
    async with db.begin() as tx:
        cup = await orders.lock_for_system(tx, line, order_id)
        cup = await orders.apply(tx, line, cup, "finish", SYSTEM)
        cup = await orders.apply(tx, line, cup, "drink", ANN)
        assert cup.order.closed_at == tx.now


async def test_a_step_over_an_older_version_writes_nothing(db: Database) -> None:
    line = Kitchen().line()
    order_id = await db.run(place)
    async with db.begin() as tx:
        old = await orders.lock_for_system(tx, line, order_id)
        await orders.apply(tx, line, old, "finish", SYSTEM)
    with pytest.raises(RetryTx):
        async with db.begin() as tx:
            await orders.apply(tx, line, old, "finish", SYSTEM)
    async with db.begin() as tx:
        assert len(await orders.events(tx, order_id)) == 2


async def test_a_line_whose_table_names_an_unknown_effect_is_refused() -> None:
    with pytest.raises(ValueError, match="pour"):
        dataclasses.replace(Kitchen().line(), effects={})


async def test_a_repeat_of_the_last_step_by_the_same_actor_is_known(db: Database) -> None:
    line = Kitchen().line()
    order_id = await db.run(place)
    async with db.begin() as tx:
        cup = await orders.lock_for_system(tx, line, order_id)
        cup = await orders.apply(tx, line, cup, "finish", SYSTEM)
        cup = await orders.apply(tx, line, cup, "drink", ANN)
        assert not await orders.guard(tx, line, cup, "drink", ANN)
        with pytest.raises(orders.WrongState):
            await orders.guard(tx, line, cup, "drink", By(Role.CUSTOMER, "acc_ben"))
        with pytest.raises(orders.WrongState):
            await orders.guard(tx, line, cup, "finish", SYSTEM)


async def test_there_is_no_way_to_an_order_but_on_somebodys_behalf(db: Database) -> None:
    line = Kitchen().line()
    order_id = await db.run(place)
    async with db.begin() as tx:
        assert (await orders.read_for_customer(tx, line, order_id, "acc_ann")).order.id == order_id
        assert (await orders.read_for_staff(tx, line, order_id)).order.id == order_id
        for refused in (
            orders.read_for_customer(tx, line, order_id, "acc_ben"),
            orders.lock_for_customer(tx, line, order_id, "acc_ben"),
            orders.read_for_worker(tx, line, order_id, "wrk_x"),
            orders.read_for_staff(tx, line, "ord_none"),
            orders.lock_for_system(tx, line, "ord_none"),
        ):
            with pytest.raises(NotFound):
                await refused


async def test_the_gate_lets_one_through_at_a_time(db: Database) -> None:
    line = Kitchen().line()
    order_id = await db.run(place)
    order: list[str] = []

    async def hold(name: str) -> None:
        async with db.begin() as tx:
            await orders.lock_for_system(tx, line, order_id)
            order.append(f"{name} in")
            await asyncio.sleep(0.02)
            order.append(f"{name} out")

    await asyncio.gather(*(hold(name) for name in "abc"))
    assert [step.split()[1] for step in order] == ["in", "out"] * 3


@pytest.mark.parametrize(
    "change",
    ["refunded_fen = 1", "paid_fen = 5, refunded_fen = 3, refund_reserved_fen = 3", "total_fen = -1", "version = 0"],
)
async def test_the_database_refuses_impossible_money(db: Database, change: str) -> None:
    order_id = await db.run(place)
    with pytest.raises(asyncpg.CheckViolationError):
        async with db.begin() as tx:
            await tx.execute(f"UPDATE orders SET {change} WHERE id = $1", order_id)


@pytest.mark.parametrize("statement", ["UPDATE order_events SET verb = 'x'", "DELETE FROM order_events"])
async def test_the_timeline_is_final(db: Database, statement: str) -> None:
    await db.run(place)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        async with db.begin() as tx:
            await tx.execute(statement)


async def test_a_snapshot_and_timeline_data_come_back_as_they_were(db: Database) -> None:
    data: dict[str, Any] = {"名": "茶", "n": [1, 2.5, None]}
    line = Kitchen().line()
    order_id = await db.run(place)
    async with db.begin() as tx:
        cup = await orders.lock_for_system(tx, line, order_id)
        await orders.apply(tx, line, cup, "finish", SYSTEM, data=data)
        assert (await orders.events(tx, order_id, after_n=1))[0].data == data
