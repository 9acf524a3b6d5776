"""Every order in which pay, mix, cancel, expire, notify and refund can meet on one order, statement by statement.

    python -m tests.money.interleave --all [--up-to 3] [--minutes 20]   pairs and triples whole, then four and five
    python -m tests.money.interleave over pay notify                    one cast of one scene, whole

An actor is a coroutine that speaks through the database it is given; a cast are some of them on one scene. First each
order of whole transactions is played: what can come of them is what may come of any schedule. Then every schedule of
statements is (`tests/money/stepping.py`), and after each: nobody met a deadlock or was sent away, the outcome is one of
those, every invariant holds, and once all that is due has been done the order stands still and no money waits.

To add an actor: write `async def verb(stand, db)` below, with public verbs only, and name it in a scene's cast. It may
run several transactions; what it returns is compared between schedules, so no ids. To add a scene: write how it is
prepared on a `Street`, and say who plays. A function of ours that its SQL calls is to be named in `stepping.CALLED`.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from rest.lines.homeservice import actions
from rest.lines.homeservice.deadlines import DEADLINES
from rest.lines.homeservice.model import Job
from rest.lines.homeservice.subscribers import SUBSCRIBERS as HOMESERVICE
from rest.money import ledger, payments, points, refunds, settlement
from rest.money.channels.actions import take
from rest.money.channels.facts import MoneyCame
from rest.money.channels.model import Outcome
from rest.trade.orders import By, Role
from storage import engines
from storage.postgres import Database
from tests.conftest import MONDAY
from tests.money import invariants
from tests.money.stepping import Explorer, Snapshot, Stage, StageClock
from tests.money.street import LINES, Street, approve, ask_refund, pay_mixed, scratch, street_on

Act = Callable[["Stand", Database], Awaitable[Any]]


@dataclass
class Stand:
    """One order about which everybody comes, and the channel's number of its payment."""

    street: Street
    job: Job
    number: str = ""
    asked_fen: int = 0
    """What the channel was asked for."""

    @property
    def order_id(self) -> str:
        return self.job.order.id


# The actors


async def pay(stand: Stand, db: Database) -> None:
    """The customer, from his wallet."""
    await db.run(actions.pay, stand.order_id, stand.job.order.customer_id, "wallet")


async def mix(stand: Stand, db: Database) -> None:
    """The customer, with points, his wallet and another channel for the rest; a payment that was begun is replaced."""
    await db.run(pay_mixed, stand.order_id, stand.job.order.customer_id, "alipay")


async def cancel(stand: Stand, db: Database) -> None:
    await db.run(actions.cancel, stand.order_id, stand.job.order.customer_id, "hm")


async def expire(stand: Stand, db: Database) -> None:
    """The timer of the payment window."""
    await db.run(DEADLINES["homeservice.lock"], {"order_id": stand.order_id})


async def notify(stand: Stand, db: Database) -> str:
    """The channel's news, and what hears it; the job that should hear it is still there and does so again."""
    trade = stand.street.banks["wechat"].told(stand.number, stand.asked_fen)
    news = stand.street.news("wechat", stand.number, stand.asked_fen, notify_id=f"ntf:{stand.number}")
    outcome = await db.run(take, "wechat", news, b"{}")
    if outcome is Outcome.PASSED_ON:
        (hears,) = HOMESERVICE[MoneyCame.topic]
        fact = {"order_id": stand.order_id, "payment_id": stand.number, "ref": trade.trade_no}
        await db.run(hears.run, fact)
    return outcome.value


async def refund(stand: Stand, db: Database) -> None:
    """Support lets the order go: everything that was paid goes back."""
    await db.run(actions.decide_cancel, stand.order_id, "acc_staff", saved=False, note="ok")


async def save(stand: Stand, db: Database) -> None:
    """Support keeps the order."""
    await db.run(actions.decide_cancel, stand.order_id, "acc_staff", saved=True, note="ok")


async def refund_most(stand: Stand, db: Database) -> None:
    """Most of a completed order is asked for and given; together with `refund_some` it is too much."""
    await db.run(approve, await db.run(ask_refund, stand.order_id, 30_000))


async def refund_some(stand: Stand, db: Database) -> None:
    await db.run(approve, await db.run(ask_refund, stand.order_id, 20_000))


async def withdraw(stand: Stand, db: Database) -> None:
    """The customer asks for a little, and does not want it any more."""
    customer = stand.job.order.customer_id
    refund_id = await db.run(ask_refund, stand.order_id, 500, by=By(Role.CUSTOMER, customer))
    await db.run(refunds.withdraw, LINES, refund_id, account_id=customer)


async def mature(stand: Stand, db: Database) -> None:
    """The parts of the settlement may be spent."""
    found = await db.run(settlement.of_order, stand.order_id)
    await db.run(settlement.mature, found.id)


async def notify_again(stand: Stand, db: Database) -> str:
    """The channel repeats itself under another number."""
    news = stand.street.news("wechat", stand.number, stand.asked_fen)
    return (await db.run(take, "wechat", news, b"{}")).value


# The scenes


async def locked(street: Street, *, seconds: float, mixed: bool = False) -> Stand:
    """The technician is locked, a payment over a channel can be paid, and the payer has done so."""
    job, number = await street.ready("wechat", in_h=6, mixed=mixed)
    if not mixed:
        await street.db.run(points.earn, job.order.customer_id, 1_500, ref="gift", reason="test")
    await street.banks["wechat"].pay(number)
    street.town.clock.advance(seconds=seconds)
    return Stand(street, await street.town.job(job), number, await street.asked("wechat", number))


async def window_open(street: Street) -> Stand:
    return await locked(street, seconds=1)


async def window_over(street: Street) -> Stand:
    return await locked(street, seconds=180)


async def mixed_open(street: Street) -> Stand:
    """As `open`; points and a part of the wallet are held beside what the channel was asked for."""
    return await locked(street, seconds=1, mixed=True)


async def mixed_over(street: Street) -> Stand:
    return await locked(street, seconds=180, mixed=True)


async def deciding(street: Street) -> Stand:
    """The customer wants out, and the window has just ended."""
    stand = await locked(street, seconds=100)
    await street.town.by_customer(actions.cancel, stand.job, "hm")
    street.town.clock.advance(seconds=80)
    return Stand(street, await street.town.job(stand.job), stand.number, stand.asked_fen)


async def done(street: Street) -> Stand:
    """Paid with points, wallet and a channel, completed, settled; its parts may be spent from this moment on."""
    job, _ = await street.completed("wechat", mixed=True)
    async with street.db.begin() as tx:
        number = (await payments.of_order(tx, job.order.id))[0].id
    await street.run()
    street.town.clock.advance(hours=6 * 24)
    return Stand(street, await street.town.job(job), number, await street.asked("wechat", number))


@dataclass(frozen=True)
class Scene:
    """How it is prepared, and who may come."""

    prepare: Callable[[Street], Awaitable[Stand]]
    cast: dict[str, Act]


SIX: dict[str, Act] = {"pay": pay, "mix": mix, "cancel": cancel, "expire": expire, "notify": notify, "refund": refund}
SCENES = {
    "open": Scene(window_open, SIX),
    "over": Scene(window_over, SIX),
    "mixed_open": Scene(mixed_open, SIX),
    "mixed_over": Scene(mixed_over, SIX),
    "deciding": Scene(deciding, {"expire": expire, "notify": notify, "refund": refund, "save": save, "cancel": cancel}),
    "done": Scene(
        done,
        {
            "refund_most": refund_most,
            "refund_some": refund_some,
            "withdraw": withdraw,
            "mature": mature,
            "notify_again": notify_again,
        },
    ),  # fmt: skip
}


# One schedule after the other

Seen = tuple[object, ...]


@dataclass
class Found:
    """What came of a cast: schedules played, cut short as seen before, waits for locks, and what is wrong."""

    schedules: int = 0
    cut: int = 0
    parked: int = 0
    is_whole: bool = False
    outcomes: set[Seen] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        whole = "all" if self.is_whole else "the first"
        return (
            f"{whole} {self.schedules:,} schedules ({self.cut:,} cut as seen before, {self.parked:,} waits for locks), "
            f"{len(self.outcomes)} outcomes, {len(self.wrong)} wrong"
        )


class Play:
    """A scene on a database of its own, ready to be played."""

    def __init__(self, scene: Scene, stage: Stage, snapshot: Snapshot, stand: Stand, clock: StageClock) -> None:
        self.scene, self.stage, self.snapshot, self.stand = scene, stage, snapshot, stand
        self.clock = clock
        self.began_at: datetime = self.clock.now()

    @classmethod
    @asynccontextmanager
    async def open(cls, server: str, name: str) -> AsyncIterator[Play]:
        scene, clock = SCENES[name], StageClock(MONDAY)
        async with scratch(server, f"play_{name}") as url, street_on(url, clock, pool_size=4) as street:
            stand = await scene.prepare(street)
            snapshot = Snapshot(url)
            await snapshot.take()
            async with Stage.open(url, list(scene.cast)) as stage:
                yield cls(scene, stage, snapshot, stand, clock)
            await snapshot.close()

    async def whole(
        self, cast: Sequence[str], *, limit: int = sys.maxsize, seconds: float = 1e9, legal: set[Seen] | None = None,
        reduce: bool = True,
    ) -> Found:  # fmt: skip
        """Every schedule of these actors, or as many as may be."""
        explorer, found = Explorer(reduce=reduce), Found()
        legal = await self.serial(cast) if legal is None else legal
        ends = time.monotonic() + seconds
        while not explorer.is_done and explorer.schedules < limit and time.monotonic() < ends:
            said = await self.once(cast, explorer.choose)
            explorer.back(complete=said is not None)
            if said is not None:
                self._judge(found, said, legal)
        found.schedules, found.cut, found.is_whole = explorer.schedules, explorer.cut, explorer.is_done
        return found

    async def sampled(self, cast: Sequence[str], *, count: int, dice: random.Random, seconds: float = 1e9,
                      legal: set[Seen] | None = None) -> Found:  # fmt: skip
        """This many schedules drawn at random; without `legal`, outcomes are judged by the invariants alone."""
        found, ends = Found(), time.monotonic() + seconds
        while found.schedules < count and time.monotonic() < ends:
            said = await self.once(cast, lambda choice: dice.choice(sorted(choice.enabled)))
            assert said is not None
            self._judge(found, said, legal)
            found.schedules += 1
        return found

    async def serial(self, cast: Sequence[str]) -> set[Seen]:
        """What may come of it: the outcomes of all orders of whole transactions."""
        explorer, legal = Explorer(reduce=False), set()
        while not explorer.is_done:
            at_work = ""

            def choose(choice: Any) -> str | None:
                nonlocal at_work
                if at_work not in choice.enabled or not self.stage.actors[at_work].steps:
                    at_work = explorer.choose(choice) or ""
                return at_work

            said = await self.once(cast, choose)
            explorer.back(complete=True)
            assert said is not None
            if said[1]:
                raise AssertionError(f"one after the other: {said}")
            legal.add(said[0])
        return legal

    def _judge(self, found: Found, said: tuple[Seen, list[str], str], legal: set[Seen] | None) -> None:
        seen, wrong, schedule = said
        if legal is not None and seen not in legal and not wrong:
            wrong = [f"outcome {seen}, legal are {sorted(map(str, legal))}"]
        found.outcomes.add(seen)
        found.parked += self.stage.parked
        found.wrong += [f"{one} after {schedule}" for one in wrong]

    async def once(
        self, cast: Sequence[str], choose: Callable[[Any], str | None]
    ) -> tuple[Seen, list[str], str] | None:
        """One schedule: its outcome, what is wrong with it, and the schedule; None when it was cut."""
        await self.snapshot.restore()
        self.clock.back_to(self.began_at)
        street, stage = self.stand.street, self.stage
        stage.deadlocks = stage.parked = 0
        databases = {name: stage.database(name, self.clock, street.db.subscribed) for name in cast}
        stage.begin({name: self._act(name, databases[name]) for name in cast})
        schedule: list[str] = []
        try:
            while (choice := await stage.settle()).enabled:
                name = choose(choice)
                if name is None:
                    return None
                schedule.append(name)
                stage.let(name)
        finally:
            await stage.end()
        answers = tuple(f"{name}: {stage.actors[name].answer}" for name in cast)
        wrong = [answer for answer in answers if "!" in answer]
        if stage.deadlocks:
            wrong.append(f"{stage.deadlocks} deadlocks")
        wrong += await invariants.violations(street.db)
        seen = (*answers, *await self._aftermath(wrong))
        return seen, wrong, " ".join(_runs(schedule))

    def _act(self, name: str, db: Database) -> Callable[[], Awaitable[Any]]:
        return lambda: self.scene.cast[name](self.stand, db)

    async def _aftermath(self, wrong: list[str]) -> Seen:
        """Do what is due, twice: the order must stand still. Where it stands, and where the money is."""
        street, job = self.stand.street, self.stand.job
        await street.run()
        now = await street.town.job(job)
        held = await self._money()
        wrong += await invariants.violations(street.db, rest=True)
        if await street.run() or await street.town.job(job) != now or await self._money() != held:
            wrong.append("it does not stand still")
        return now.order.status, now.order.provider_id is not None, now.order.kept_fen, *held

    async def _money(self) -> tuple[int, ...]:
        order, worker_id = self.stand.job.order, self.stand.job.visit.worker_id or ""
        codes = (
            ledger.customer_wallet(order.customer_id),
            ledger.escrow(order.id),
            ledger.unapplied(order.customer_id),
            ledger.customer_points(order.customer_id),
            ledger.clearing("wechat"),
            ledger.clearing("alipay"),
            ledger.refunding("wechat"),
            ledger.suspense("wechat"),
            ledger.pending("worker", worker_id),
            ledger.worker_wallet(worker_id),
            ledger.revenue("homeservice"),
        )
        sql = "SELECT coalesce(sum(balance_fen), 0)::bigint FROM ledger_accounts WHERE kind = $1"
        async with self.stand.street.db.begin() as tx:
            held = [await tx.fetchval(sql, kind) for kind in ("payment_held", "payment_held_points")]
            return tuple([await ledger.balance(tx, code) for code in codes] + held)


def _runs(schedule: Iterable[str]) -> list[str]:
    """`pay pay pay cancel` → `pay×3 cancel`."""
    runs: list[tuple[str, int]] = []
    for name in schedule:
        if runs and runs[-1][0] == name:
            runs[-1] = (name, runs[-1][1] + 1)
        else:
            runs.append((name, 1))
    return [name if times == 1 else f"{name}×{times}" for name, times in runs]


# The command


async def everything(server: str, *, up_to: int, minutes: float, seed: int) -> bool:
    """Casts of up to so many of every scene whole, then larger ones as time allows. Whether all was right."""
    began, right, total = time.monotonic(), True, 0
    dice = random.Random(seed)
    for name, scene in SCENES.items():
        async with Play.open(server, name) as play:
            for size in range(2, up_to + 1):
                for cast in combinations(scene.cast, size):
                    found = await play.whole(cast)
                    right, total = _report(name, cast, found) and right, total + found.schedules
    ends = time.monotonic() + minutes * 60
    casts = [
        (name, cast)
        for name, scene in SCENES.items()
        for size in range(up_to + 1, 7)
        for cast in combinations(scene.cast, size)
    ]
    for number, (name, cast) in enumerate(casts):
        share = max(10.0, (ends - time.monotonic()) / (len(casts) - number))
        async with Play.open(server, name) as play:
            legal = await play.serial(cast)
            found = await play.whole(cast, seconds=share / 2, legal=legal)
            right, total = _report(name, cast, found) and right, total + found.schedules
            if not found.is_whole:
                found = await play.sampled(cast, count=sys.maxsize, dice=dice, seconds=share / 2, legal=legal)
                right, total = _report(name, cast, found, how="at random: ") and right, total + found.schedules
    print(f"{total:,} schedules in {time.monotonic() - began:,.0f} s, seed {seed}: {'all right' if right else 'WRONG'}")
    return right


def _report(name: str, cast: Sequence[str], found: Found, how: str = "") -> bool:
    print(f"{name}: {' ∥ '.join(cast)}: {how}{found}", flush=True)
    for wrong in found.wrong[:5]:
        print(f"  {wrong}", flush=True)
    return not found.wrong


async def one(server: str, name: str, cast: Sequence[str]) -> bool:
    async with Play.open(server, name) as play:
        return _report(name, cast, await play.whole(cast))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.money.interleave", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("cast", nargs="*", help="a scene, and who plays in it")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--up-to", type=int, default=3, help="casts of this size are walked whole")
    parser.add_argument("--minutes", type=float, default=20, help="for the larger ones")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="fieldhub-interleave-"))
    postgres = engines.start_postgres(folder, durable=False)
    try:
        if arguments.all:
            work = everything(postgres.url, up_to=arguments.up_to, minutes=arguments.minutes, seed=arguments.seed)
        else:
            work = one(postgres.url, arguments.cast[0], arguments.cast[1:])
        return 0 if asyncio.run(work) else 1
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
