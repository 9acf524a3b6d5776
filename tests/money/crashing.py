"""Death at any moment: a process is killed before its N-th statement, or just after, for every N there is.

    python -m tests.money.crashing --all                  every N of every flow
    python -m tests.money.crashing pay_wallet            every N of one flow

A child with this interpreter's modules and none of its connections plays a flow on a database of its own and has
SIGKILL from itself at its N-th step. A step is before each statement, and for what commits also between the sending and
the answer, and after the answer; the channels' answers among them. (Between an answer and the next statement nothing
changes.) The parent waits for it, starts a worker as after a crash, lets time pass, and looks: every invariant holds,
no job is parked, the flow's promise is kept, and doing all that is due once more changes nothing. N goes up until the
child ends by itself. The channels' books are in the database but outside of every transaction of ours, as a real
channel's are.

To add a flow: write its beginning on a `Street`, what the process does (with public verbs and the worker alone), and
what must be true of it in the end, and name it in `FLOWS`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dispatch
from rest.lines.homeservice import actions
from rest.lines.homeservice.model import Job
from rest.lines.homeservice.rules import HomeserviceRules
from rest.marketing import membership, points_mall
from rest.money import ledger, points, settlement
from storage import engines
from storage.base.clock import ManualClock
from storage.postgres import Database
from tests.conftest import MONDAY
from tests.homeservice.conftest import Town
from tests.money import invariants
from tests.money.members_book import sell_membership
from tests.money.points_book import sell_coupon
from tests.money.stepping import Snapshot
from tests.money.street import BOTH, FarBank, Street, asking, scratch, street_on, worker
from tests.money.street import pay_mixed as begin_mixed

ENDED, BROKEN = 0, 3


class Fuse:
    """Counts steps, and burns at the N-th."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class FusedConnection:
    """An asyncpg connection with a step before each statement, and two more around the answer to what commits."""

    def __init__(self, connection: Any, fuse: Fuse) -> None:
        self._connection, self._fuse = connection, fuse

    def is_in_transaction(self) -> bool:
        return bool(self._connection.is_in_transaction())

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        async def call(sql: str, *args: Any) -> Any:
            commits = sql == "COMMIT" or (sql != "BEGIN" and not self.is_in_transaction())
            self._fuse.step()
            answering = asyncio.ensure_future(getattr(self._connection, method)(sql, *args))
            if commits:
                await asyncio.sleep(0)  # it is sent
                self._fuse.step()
            answer = await answering
            if commits:
                self._fuse.step()
            return answer

        return call


class FusedPool:
    def __init__(self, pool: Any, fuse: Fuse) -> None:
        self._pool, self._fuse = pool, fuse

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[FusedConnection]:
        async with self._pool.acquire() as connection:
            yield FusedConnection(connection, self._fuse)

    async def close(self) -> None:
        await self._pool.close()


# The flows


@dataclass
class Setting:
    """What a flow begins with: an order, its channel, and the channel's number of the payment."""

    job: Job
    channel: str = ""
    number: str = ""


Begin = Callable[[Street], Awaitable[Setting]]
Act = Callable[[Street, Setting], Awaitable[None]]
Promise = Callable[[Street, Setting, bool], Awaitable[list[str]]]


async def begin_chosen(street: Street) -> Setting:
    return Setting(await street.chosen(in_h=6))


async def pay_wallet(street: Street, setting: Setting) -> None:
    await street.town.pay(setting.job)
    await street.run()


async def is_paid_or_untouched(street: Street, setting: Setting, ended: bool) -> list[str]:
    """All of the price or none of it; when the process lived, all of it."""
    job = await street.town.job(setting.job)
    wallet = await street.town.wallet(job.order.customer_id)
    is_paid = (job.order.kept_fen, wallet) == (40_900, 59_100)
    if is_paid or (not ended and (job.order.kept_fen, wallet) == (0, 100_000)):
        return []
    return [f"kept {job.order.kept_fen}, wallet {wallet}, {job.order.status}"]


async def pay_channel(street: Street, setting: Setting) -> None:
    """From the tap to the news, over a channel; the payer pays as soon as he can."""
    number = await street.begin(setting.job, "wechat")
    await street.run()
    await street.banks["wechat"].pay(number)
    await street.tell("wechat", number, 40_900)
    await street.run()


async def what_the_channel_has_is_kept_or_back(
    street: Street, setting: Setting, ended: bool, *, fen: int | None = None
) -> list[str]:
    """Money the payer has paid is the order's, or on its way back to him; `fen`: as much of it as came over him."""
    job = await street.town.job(setting.job)
    kept = job.order.kept_fen if fen is None else fen
    async with street.db.begin() as tx:
        paid = await tx.fetchval("SELECT coalesce(sum(amount_fen), 0)::int FROM bank.trades WHERE state = 'paid'")
        back = await tx.fetchval("SELECT coalesce(sum(amount_fen), 0)::int FROM bank.refunds")
    if paid - back != kept or (ended and kept != 40_900):
        return [f"the channel has {paid} and gave {back} back, the order keeps {kept} of it"]
    return []


async def begin_with_points(street: Street) -> Setting:
    job = await street.chosen(in_h=6)
    await street.db.run(points.earn, job.order.customer_id, 1_500, ref="gift", reason="test")
    return Setting(job)


async def pay_mixed(street: Street, setting: Setting) -> None:
    """Points and a part from the wallet are held, the channel is asked for the rest, pays, and says so."""
    order = setting.job.order
    await street.db.run(begin_mixed, order.id, order.customer_id, "wechat")
    number = await street.open_payment(setting.job)
    await street.run()
    await street.banks["wechat"].pay(number)
    await street.tell("wechat", number, 29_900)
    await street.run()


async def is_paid_by_all_or_none(street: Street, setting: Setting, ended: bool) -> list[str]:
    """Each source gave its part, or has it again: now, or when the payment window has ended."""
    street.town.clock.advance(seconds=400)
    await street.run()
    job = await street.town.job(setting.job)
    customer = job.order.customer_id
    has = (await street.town.wallet(customer), await street.town.balance(ledger.customer_points(customer)))
    kept = job.order.kept_fen
    if (kept, has) == (40_900, (90_000, 500)) or (not ended and (kept, has) == (0, (100_000, 1_500))):
        return await what_the_channel_has_is_kept_or_back(street, setting, ended=False, fen=kept and 29_900)
    return [f"kept {kept}, wallet and points {has}, {job.order.status}"]


async def begin_too_late(street: Street) -> Setting:
    """The payer pays, the window ends, somebody else has the technician: the money must go back."""
    job, number = await street.ready("alipay", in_h=6)
    street.town.clock.advance(seconds=185)
    await street.banks["alipay"].pay(number)
    await street.town.by_customer(actions.cancel, job, "hm")
    return Setting(job, "alipay", number)


async def late_money(street: Street, setting: Setting) -> None:
    await street.tell("alipay", setting.number, 40_900)
    await street.run()


async def nothing_is_kept(street: Street, setting: Setting, ended: bool) -> list[str]:
    """Whoever pays too late has all of it back, once."""
    async with street.db.begin() as tx:
        back = await tx.fetchval("SELECT coalesce(sum(amount_fen), 0)::int FROM bank.refunds")
    kept = (await street.town.job(setting.job)).order.kept_fen
    return [] if (back, kept) == (40_900, 0) else [f"{back} went back, {kept} are kept"]


async def begin_refund(street: Street) -> Setting:
    job = await street.paid("wechat", in_h=6)
    await street.town.by_customer(actions.cancel, job, "hm")
    return Setting(job, "wechat")


async def refund_channel(street: Street, setting: Setting) -> None:
    """Support lets the order go, and the channel is asked to give the money back."""
    await street.db.run(actions.decide_cancel, setting.job.order.id, "acc_staff", saved=False, note="ok")
    await street.run()


async def is_back_once(street: Street, setting: Setting, ended: bool) -> list[str]:
    """Support repeats what was not done; then all of it went back, once."""
    if (await street.town.status(setting.job)) == "cancel_requested":
        await refund_channel(street, setting)
    async with street.db.begin() as tx:
        rows = await tx.fetch("SELECT amount_fen FROM bank.refunds")
    back = [row[0] for row in rows]
    return [] if back == [40_900] else [f"{back} went back"]


async def begin_leaving(street: Street) -> Setting:
    tech = await street.town.newcomer(work_from_min=0, work_to_min=1440)
    job = await street.paid("wallet", tech=tech)
    for verb in ("accept", "depart", "arrive", "start", "end", "confirm_left"):
        job = await street.town._go(job, tech, verb)
    await street.run()
    return Setting(job)


async def settle(street: Street, setting: Setting) -> None:
    """The technician leaves: the order is shared out; later its parts may be spent."""
    await street.db.run(actions.leave, setting.job.order.id, setting.job.order.provider_id)
    await street.run()
    street.town.clock.advance(hours=200)
    await street.run()


async def is_shared_out(street: Street, setting: Setting, ended: bool) -> list[str]:
    """Once the technician has said so again if need be, everybody has his part, spendable."""
    if (await street.town.status(setting.job)) != "completed":
        await settle(street, setting)
    street.town.clock.advance(hours=200)
    await street.run()
    found = await street.db.run(settlement.of_order, setting.job.order.id)
    wallet = await street.town.balance(ledger.worker_wallet(found.worker_id))
    platform = await street.town.balance(ledger.revenue("homeservice"))
    return [] if wallet + platform == 40_900 and wallet == 24_900 else [f"worker {wallet}, platform {platform}"]


async def begin_completed(street: Street) -> Setting:
    job, _ = await street.completed("wechat", mixed=True)
    return Setting(job, "wechat")


async def refund_part(street: Street, setting: Setting) -> None:
    """A part of a settled order is asked for, and given back to its points, its wallet and its channel."""
    await street.refund(setting.job, 10_000)
    await street.run()


async def is_given_back_once(street: Street, setting: Setting, ended: bool) -> list[str]:
    """What was not asked for or not approved has moved nothing; what was went back to each source, once."""
    job = await street.town.job(setting.job)
    customer = job.order.customer_id
    async with street.db.begin() as tx:
        back = await tx.fetchval("SELECT coalesce(sum(amount_fen), 0)::int FROM bank.refunds")
    now = (job.order.refunded_fen, back, await street.town.wallet(customer) - 90_000)
    given = (10_000, 7_311, 2_445)
    is_right = now == given or (not ended and now == (0, 0, 0) and job.order.refund_reserved_fen in {0, 10_000})
    return [] if is_right else [f"{now} of {given} went back, {job.order.refund_reserved_fen} is reserved"]


async def begin_given_back(street: Street) -> Setting:
    """Somebody with an order in his hands has bought a coupon for points and cash."""
    job = await street.chosen(in_h=6)
    customer = job.order.customer_id
    await street.db.run(points.earn, customer, 150, ref="gift", reason="test")
    purchase_id = await sell_coupon(street.db, customer)
    await street.run()
    return Setting(job, number=purchase_id)


async def give_coupon_back(street: Street, setting: Setting) -> None:
    await street.db.run(points_mall.give_back, setting.number, setting.job.order.customer_id)
    await street.run()


async def price_or_coupon(street: Street, setting: Setting, ended: bool) -> list[str]:
    """Whoever has his points and his cash again has no coupon, and who has the coupon has neither."""
    customer = setting.job.order.customer_id
    async with street.db.begin() as tx:
        coupon = await tx.fetchval("SELECT state FROM coupons WHERE account_id = $1", customer)
    has = (coupon, await street.town.wallet(customer), (await street.db.run(points.totals, customer)).available)
    back, kept = ("revoked", 100_000, 150), ("issued", 99_700, 50)
    return [] if has == back or (not ended and has == kept) else [f"coupon, wallet and points: {has}"]


async def begin_member(street: Street) -> Setting:
    """Somebody with an order in his hands has bought a membership that comes with a coupon."""
    job = await street.chosen(in_h=6)
    purchase_id = await sell_membership(street.db, job.order.customer_id)
    await street.run()
    return Setting(job, number=purchase_id)


async def give_membership_back(street: Street, setting: Setting) -> None:
    await street.db.run(membership.give_back, setting.number, setting.job.order.customer_id)
    await street.run()


async def price_or_membership(street: Street, setting: Setting, ended: bool) -> list[str]:
    """Whoever has his price again has neither membership nor coupon, and who has them has not."""
    customer = setting.job.order.customer_id
    async with street.db.begin() as tx:
        coupon = await tx.fetchval("SELECT state FROM coupons WHERE account_id = $1", customer)
        state = await tx.fetchval("SELECT state FROM memberships WHERE account_id = $1", customer)
    has = (state, coupon, await street.town.wallet(customer))
    back, kept = ("none", "revoked", 100_000), ("active", "issued", 97_000)
    return [] if has == back or (not ended and has == kept) else [f"membership, coupon and wallet: {has}"]


async def begin_break(street: Street) -> Setting:
    """On his way the customer does not want him any more."""
    job, _ = await street.brought("accept", "depart", "cancel", channel="wechat")
    return Setting(job, "wechat")


async def break_off(street: Street, setting: Setting) -> None:
    """Support lets the order end: a penalty is kept and shared out, the rest goes back."""
    await street.db.run(actions.break_off, setting.job.order.id, "acc_staff", "insists")
    await street.run()


async def penalty_is_kept_once(street: Street, setting: Setting, ended: bool) -> list[str]:
    """Once support has said so again if need be: all of the travel and half of the item are kept."""
    if (await street.town.status(setting.job)) != "closed_penalty":
        await break_off(street, setting)
    kept = (await street.town.job(setting.job)).order.kept_fen
    wrong = await what_the_channel_has_is_kept_or_back(street, setting, ended=False)
    return wrong if kept == 20_900 else [f"{kept} are kept", *wrong]


@dataclass(frozen=True)
class Flow:
    begin: Begin
    act: Act
    promise: Promise


FLOWS = {
    "pay_wallet": Flow(begin_chosen, pay_wallet, is_paid_or_untouched),
    "pay_channel": Flow(begin_chosen, pay_channel, what_the_channel_has_is_kept_or_back),
    "pay_mixed": Flow(begin_with_points, pay_mixed, is_paid_by_all_or_none),
    "late_money": Flow(begin_too_late, late_money, nothing_is_kept),
    "refund_channel": Flow(begin_refund, refund_channel, is_back_once),
    "refund_part": Flow(begin_completed, refund_part, is_given_back_once),
    "give_coupon_back": Flow(begin_given_back, give_coupon_back, price_or_coupon),
    "give_membership_back": Flow(begin_member, give_membership_back, price_or_membership),
    "break_off": Flow(begin_break, break_off, penalty_is_kept_once),
    "settle": Flow(begin_leaving, settle, is_shared_out),
}


# Dying and coming back


class Killer:
    """A flow on a database of its own, played again and again."""

    def __init__(self, url: str, flow: Flow, setting: Setting, snapshot: Snapshot, street: Street) -> None:
        self.url, self.flow, self.setting, self.snapshot, self.street = url, flow, setting, snapshot, street
        self.began_at = street.town.clock.now()

    @classmethod
    @asynccontextmanager
    async def open(cls, server: str, name: str) -> AsyncIterator[Killer]:
        flow = FLOWS[name]
        async with scratch(server, f"crash_{name}") as url:
            async with street_on(url, ManualClock(MONDAY), pool_size=4) as street:
                setting = await flow.begin(street)
                snapshot = Snapshot(url)
                await snapshot.take()
                yield cls(url, flow, setting, snapshot, street)
                await snapshot.close()

    async def at(self, nth: int) -> tuple[bool, list[str]]:
        """The process dies at its N-th step: whether it ended before that, and what is wrong afterwards."""
        await self.snapshot.restore()
        child = _fork(self.url, self.flow.act, self.setting, self.began_at, nth)
        while not (done := os.waitpid(child, os.WNOHANG))[0]:
            await asyncio.sleep(0.002)
        code = os.waitstatus_to_exitcode(done[1])
        if code not in {ENDED, -signal.SIGKILL}:
            return True, [f"the process ended with {code}"]
        clock = ManualClock(self.began_at)
        db = await Database.connect(self.url, clock=clock, pool_size=4)
        try:
            return code == ENDED, await self._recovered(await _again(db, clock), ended=code == ENDED)
        finally:
            await db.close()

    async def _recovered(self, street: Street, *, ended: bool) -> list[str]:
        wrong = [f"at once: {fault}" for fault in await invariants.violations(street.db)]
        await street.settle_down()
        wrong += await self.flow.promise(street, self.setting, ended)
        street.town.clock.advance(seconds=400)
        await street.run()
        wrong += await invariants.violations(street.db, rest=True)
        before = await street.town.job(self.setting.job)
        if await street.run() or await street.town.job(self.setting.job) != before:
            wrong.append("it does not stand still")
        return wrong

    async def every(self, steps: Iterator[int]) -> tuple[int, list[str]]:
        """Die at each of these steps until the flow is over: how often it died, and what was wrong."""
        deaths, wrong = 0, []
        for nth in steps:
            ended, found = await self.at(nth)
            wrong += [f"step {nth}: {fault}" for fault in found]
            if ended:
                break
            deaths += 1
        return deaths, wrong


async def _again(db: Database, clock: ManualClock) -> Street:
    """The street as a new process finds it. Leases of the dead run out as time passes."""
    dispatcher = dispatch.Dispatcher(db)
    banks = {name: FarBank(name, db) for name in BOTH}
    town = Town(db, clock, dispatcher, worker(db, dispatcher, asking(db, banks)), HomeserviceRules())
    return Street(town, banks)


def _fork(url: str, act: Act, setting: Setting, at: Any, nth: int) -> int:
    """A child with this interpreter's modules and none of its connections, which never comes back from here."""
    child = os.fork()
    if child:
        return child
    try:
        asyncio.set_event_loop(None)
        asyncio.events._set_running_loop(None)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        asyncio.run(_live(url, act, setting, at, nth))
        os._exit(ENDED)
    except BaseException:
        os._exit(BROKEN)


async def _live(url: str, act: Act, setting: Setting, at: Any, nth: int) -> None:
    clock = ManualClock(at)
    db = await Database.connect(url, clock=clock, pool_size=2)
    db.pool = FusedPool(db.pool, Fuse(nth))
    await act(await _again(db, clock), setting)


# The command


async def run(server: str, names: Sequence[str]) -> bool:
    right, total, began = True, 0, time.monotonic()
    for name in names:
        async with Killer.open(server, name) as killer:
            deaths, wrong = await killer.every(iter(range(1, 100_000)))
        total += deaths
        right = right and not wrong
        print(f"{name}: killed at each of its {deaths} steps, {len(wrong)} wrong", flush=True)
        for fault in wrong[:10]:
            print(f"  {fault}", flush=True)
    print(f"killed {total} times in {time.monotonic() - began:,.0f} s: {'all right' if right else 'WRONG'}")
    return right


@contextmanager
def server() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="fieldhub-crashing-"))
    postgres = engines.start_postgres(folder, durable=False)
    try:
        yield postgres.url
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.money.crashing", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("flows", nargs="*", metavar="flow", help=", ".join(FLOWS))
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args(argv)
    with server() as url:
        return 0 if asyncio.run(run(url, list(FLOWS) if arguments.all else arguments.flows)) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
