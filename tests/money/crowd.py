"""Sixteen clients, all at work on the same few orders and wallets, and what must be true of it afterwards.

    python -m tests.money.crowd --operations 100000 [--clients 16] [--seed 1]

Each client does something at random, or what would come next for an order, again and again; workers fire what is
due, and one client moves the clock. Refusals are fine, anything else is not. The witness keeps what clients were told,
in plain Python: every version of an order that somebody was shown must be in its history as it was shown, every refund
and withdrawal that was confirmed must be there once, and wallets must hold what was given to their owners and not
spent. Then the banks' books are held against ours, and every invariant is asked, also between two rounds.

To add an operation: a method of `Crowd` named in `OPERATIONS` with its weight; call public verbs, and tell the witness.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dispatch
from rest.lines.homeservice import actions, codes
from rest.lines.homeservice.model import Job
from rest.money import ledger, points, refunds, wallet, withdrawals
from rest.money.withdrawals import Owner, Payee, PayoutMethod
from rest.money.withdrawals import actions as withdrawing
from rest.money.withdrawals.rules import WithdrawalRules
from rest.trade.orders import By, Role
from storage import engines
from storage.base.errors import HubError
from storage.postgres import TryAgain
from tests.homeservice.conftest import SQUARE, Tech
from tests.money import invariants
from tests.money.street import BOTH, LINES, Street, approve, ask_refund, pay_mixed, scratch, street_on

CLIENTS = 16
ORDERS, CUSTOMERS, TECHNICIANS = 20, 8, 10
ROUND = 2_000
RULES = WithdrawalRules(min_fen=100, review_over_fen=20_000, day_max_fen=10**9, day_count_max=10**6)
BANK = Payee(method=PayoutMethod.BANK, name="Wu Lei", number="6222020200112233445")


@dataclass
class Witness:
    """What clients were told."""

    shown: dict[tuple[str, int], set[tuple[str, int, int]]] = field(default_factory=lambda: defaultdict(set))
    refunds: Counter[str] = field(default_factory=Counter)
    requests: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Refund requests nobody has been told the end of: the order, and how much of it."""
    withdrawn: dict[str, int] = field(default_factory=dict)
    given: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def see(self, job: Job) -> None:
        order = job.order
        self.shown[order.id, order.version].add((order.status, order.paid_fen, order.refunded_fen))


class Crowd:
    """Clients of one street."""

    def __init__(self, street: Street, seed: int) -> None:
        self.street, self.db, self.dice = street, street.db, random.Random(seed)
        self.witness = Witness()
        self.orders: list[Job] = []
        self.customers: list[str] = []
        self.techs: list[Tech] = []
        self.numbers: list[tuple[str, str, int]] = []
        self.withdrawals: list[str] = []
        self.done = self.gifts = 0

    async def work(self, operations: int, *, clients: int = CLIENTS) -> list[str]:
        """Everything that is wrong after this many operations."""
        self.customers = [await self._newcomer() for _ in range(CUSTOMERS)]
        self.techs = [await self.street.town.newcomer(work_from_min=0, work_to_min=1440) for _ in range(TECHNICIANS)]
        while self.done < operations and not self.witness.problems:
            ends = min(self.done + ROUND, operations)
            stop = asyncio.Event()
            workers = [asyncio.create_task(self.street.town.runner.run(stop)) for _ in range(2)]
            await asyncio.gather(*(self._client(ends) for _ in range(clients)))
            stop.set()
            await asyncio.gather(*workers)
            await self.street.run()
            self.witness.problems += await self.judge()
        await self.street.settle_down(hours=48)
        return self.witness.problems + await self.judge()

    async def _client(self, ends: int) -> None:
        while self.done < ends and not self.witness.problems:
            self.done += 1
            (name,) = self.dice.choices(list(OPERATIONS), list(OPERATIONS.values()))
            await self._ask(name, getattr(self, name)())

    async def _ask(self, name: str, act: Awaitable[Any]) -> None:
        try:
            await act
            self.witness.answers[f"{name}: ok"] += 1
        except TryAgain:
            self.witness.answers["try_again"] += 1
        except HubError as refused:
            self.witness.answers[f"{name}: {refused.code}"] += 1
        except Exception as problem:
            self.witness.problems.append(f"{name}: {type(problem).__name__}: {problem}")

    # What a client may do

    async def post(self) -> None:
        customer = self.dice.choice(self.customers)
        if len(self.orders) >= ORDERS:
            self.orders.pop(0)
        coupon = await self.street.town.coupon(customer) if self.dice.random() < 0.2 else None
        job = await self.street.town.post(customer, in_h=self.dice.uniform(2, 9), coupon_id=coupon)
        self.witness.see(job)
        self.orders.append(job)

    async def go_on(self) -> None:
        """What comes next for an order as it is."""
        job = await self.street.town.job(self._any())
        status = job.order.status
        if status in {"in_pool", "has_candidates"} and self.dice.random() < 0.6:
            await self.street.town.grab(job, self.dice.choice(self.techs))
        elif status == "has_candidates":
            await self.choose(job)
        elif status == "pending_payment":
            await self.dice.choice([self.pay, self.begin, self.mix, self.mix])(job)
            await self.press()
        elif status == "cancel_requested":
            await self.decide(job)
        elif status == "rejected":
            outcome = self.dice.choice(["technician_agreed", "cancel"])
            await self._do(actions.decide_rejection, job.order.id, "acc_staff", outcome=outcome, note="x")
        elif status == "departed" and self.dice.random() < 0.4:
            await self._want_out(job)
        elif status in WORKERS_TURN:
            verb = "reject" if status == "paid" and self.dice.random() < 0.1 else WORKERS_TURN[status]
            await self._by_worker(job, verb)
        elif status in {"in_service", "service_ended"}:
            verb = actions.end if status == "in_service" else actions.confirm_left
            await self._do(verb, job.order.id, job.order.customer_id)
        elif status in {"completed", "closed_penalty"}:
            await self.refund(job)

    async def choose(self, job: Job | None = None) -> None:
        job = job or self._any()
        grabs = await self.street.town.grabs(job)
        if grabs:
            self.witness.see(await self.street.town.choose(job, self.dice.choice(grabs)))

    async def pay(self, job: Job | None = None) -> None:
        job = job or self._any()
        await self._do(actions.pay, job.order.id, job.order.customer_id, "wallet")

    async def begin(self, job: Job | None = None) -> None:
        job = job or self._any()
        channel = self.dice.choice(BOTH)
        await self._do(actions.pay, job.order.id, job.order.customer_id, channel, open_channels=frozenset(BOTH))
        await self._remember(job, channel)

    async def _remember(self, job: Job, channel: str) -> None:
        """What can be paid at the channel now."""
        async with self.db.look() as tx:
            row = await tx.fetchrow(
                """
                SELECT p.id, q.amount_fen FROM payments p JOIN payment_parts q ON q.payment_id = p.id AND q.tender = $2
                 WHERE p.order_id = $1 ORDER BY p.id DESC LIMIT 1""",
                job.order.id,
                channel,
            )
        if row is not None:
            self.numbers.append((channel, row["id"], row["amount_fen"]))

    async def mix(self, job: Job | None = None) -> None:
        """Points, wallet and a channel."""
        job = job or self._any()
        channel = self.dice.choice(BOTH)
        await self._do(pay_mixed, job.order.id, job.order.customer_id, channel)
        await self._remember(job, channel)

    async def press(self) -> None:
        """A payer pays, and his channel says so: now, never, or more than once."""
        if not self.numbers:
            return
        channel, number, amount_fen = self.dice.choice(self.numbers[-6:])
        await self.street.banks[channel].pay(number)
        trade = await self.street.banks[channel].query(number)
        if trade.trade_no is not None:
            for _ in range(self.dice.choice([0, 1, 1, 3])):
                await self.street.tell(channel, number, amount_fen)

    async def _want_out(self, job: Job) -> None:
        """On the way either does not want any more, and support talks to him."""
        if self.dice.random() < 0.5:
            await self.cancel(job)
            verb = self.dice.choice([actions.break_off, actions.let_customer_go_on])
        else:
            await self._do(actions.ask_terminate, job.order.id, job.order.provider_id, "x")
            verb = self.dice.choice([actions.terminate, actions.let_technician_go_on])
        await self._do(verb, job.order.id, "acc_staff", "x")

    async def cancel(self, job: Job | None = None) -> None:
        job = job or self._any()
        await self._do(actions.cancel, job.order.id, job.order.customer_id, "hm")

    async def decide(self, job: Job | None = None) -> None:
        job = job or self._any()
        saved = self.dice.random() < 0.5
        await self._do(actions.decide_cancel, job.order.id, "acc_staff", saved=saved, note="x")

    async def refund(self, job: Job | None = None) -> None:
        """Somebody asks for money of an ended order."""
        job = job or self._any()
        order, fen = job.order, self.dice.randint(1, 15_000)
        by = By(Role.CUSTOMER, order.customer_id) if self.dice.random() < 0.5 else None
        refund_id = await self.db.run(ask_refund, order.id, fen, by=by)
        self.witness.requests[refund_id] = (order.id, fen)

    async def handle_refund(self) -> None:
        """Finance gives it or does not, the customer does not want it any more; perhaps all of them at once."""
        if not self.witness.requests:
            return
        refund_id, (order_id, fen) = self.dice.choice(list(self.witness.requests.items()))
        customer = (await self.street.town.job(order_id)).order.customer_id
        verb = self.dice.choices(["approve", "reject", "withdraw"], [6, 2, 2])[0]
        if verb == "approve":
            await self.db.run(approve, refund_id)
            self.witness.refunds[order_id] += fen
        elif verb == "reject":
            await self.db.run(refunds.reject, LINES, refund_id, by="acc_fay", reason="no")
        else:
            await self.db.run(refunds.withdraw, LINES, refund_id, account_id=customer)
        self.witness.requests.pop(refund_id, None)

    async def forgive(self) -> None:
        """A penalty was a mistake."""
        async with self.db.look() as tx:
            penalty_id = await tx.fetchval("SELECT id FROM penalties ORDER BY id DESC LIMIT 1")
        if penalty_id is not None and self.dice.random() < 0.2:
            await self.db.run(actions.reverse_penalty, penalty_id, "acc_sue", "a mistake")

    async def withdraw(self) -> None:
        """Somebody wants his money out: a customer or a technician."""
        if self.dice.random() < 0.5:
            account_id = self.dice.choice(self.customers)
            owner = Owner("customer", account_id)
        else:
            tech = self.dice.choice(self.techs)
            account_id, owner = tech.account_id, Owner("worker", tech.id)
        fen = self.dice.choice([100, 5_000, 30_000])
        asked = await self.db.run(withdrawals.request, RULES, owner, account_id=account_id, amount_fen=fen, payee=BANK)
        self.witness.withdrawn[asked.id] = fen
        self.withdrawals.append(asked.id)

    async def handle_withdrawal(self) -> None:
        """Finance does something with one."""
        if not self.withdrawals:
            return
        which, verb = (
            self.dice.choice(self.withdrawals[-20:]),
            self.dice.choice(["approve", "reject", "send", "confirm", "fail"]),
        )
        if verb in {"approve", "reject", "fail"}:
            await self.db.run(getattr(withdrawing, verb), which, by="acc_fay", reason="x")
        elif verb == "send":
            await self.db.run(withdrawing.mark_sent, which, by="acc_fay", ref=f"bank-{which}")
        else:
            await self.db.run(withdrawing.confirm, which, by="acc_fay")

    async def give(self) -> None:
        """A customer's wallet is filled."""
        customer, fen = self.dice.choice(self.customers), self.dice.choice([1, 10_000, 90_000])
        self.gifts += 1
        await self.db.run(wallet.credit, customer, fen, f"given:{self.gifts}", "test")
        self.witness.given[customer] += fen

    async def time_passes(self) -> None:
        self.street.town.clock.advance(seconds=self.dice.choice([1, 20, 100, 400, 4_000]))
        async with self.db.begin() as tx:
            fixes = [(tech.id, tech.place.lon, tech.place.lat, 5.0, None, None, tx.now) for tech in self.techs]
            await dispatch.save_positions(tx, fixes)
        for tech in self.techs:
            await self._ask("go_online", self.db.run(dispatch.go_online, tech.id))

    # Helpers

    def _any(self) -> Job:
        if not self.orders:
            raise Nothing
        return self.dice.choice(self.orders)

    async def _newcomer(self) -> str:
        customer = await self.street.town.customer(fen=100_000)
        self.witness.given[customer] += 100_000
        await self.db.run(points.earn, customer, 100_000, ref=f"gift:{customer}", reason="test")
        return customer

    async def _do(self, verb: Callable[..., Awaitable[Job]], *args: Any, **named: Any) -> None:
        self.witness.see(await self.db.run(verb, *args, **named))

    async def _by_worker(self, job: Job, verb: str) -> None:
        worker_id = job.order.provider_id
        if verb == "start":
            code = (await self.db.run(codes.issue, job.order.id, 600)).code
            await self._do(actions.start, job.order.id, worker_id, code)
        elif verb == "reject":
            await self._do(actions.reject, job.order.id, worker_id, "ill")
        else:
            if verb == "arrive":
                async with self.db.begin() as tx:
                    await dispatch.save_positions(tx, [(worker_id, SQUARE.lon, SQUARE.lat, 5.0, None, None, tx.now)])
            await self._do(getattr(actions, verb), job.order.id, worker_id)

    # The judge

    async def judge(self) -> list[str]:
        """Whether the database says what clients were told, and everything that must be true of it."""
        wrong = await invariants.violations(self.db, rest=True)
        async with self.db.begin() as tx:
            rows = await tx.fetch("SELECT order_id, n, to_status FROM order_events")
            history = {(row[0], row[1]): row[2] for row in rows}
            for (order_id, version), told in self.witness.shown.items():
                statuses = {status for status, *_ in told}
                if len(told) != 1 or statuses != {history.get((order_id, version))}:
                    wrong.append(f"order {order_id} at {version} was shown as {told}")
            rows = await tx.fetch(
                """
                SELECT order_id, sum((data->>'amount_fen')::bigint)::bigint
                  FROM order_events WHERE verb = 'refund' GROUP BY 1"""
            )
            if dict(self.witness.refunds) != {row[0]: row[1] for row in rows}:
                wrong.append("refunds are not those that were confirmed")
            rows = await tx.fetch("SELECT id, amount_fen FROM withdrawals")
            if self.witness.withdrawn != {row[0]: row[1] for row in rows}:
                wrong.append("withdrawals are not those that were confirmed")
            for customer in self.customers:
                wrong += await self._wallet(tx, customer)
            for channel in BOTH:
                wrong += await self._bank(tx, channel)
        return wrong

    async def _wallet(self, tx: Any, customer: str) -> list[str]:
        """What was given, less what wallets paid and took out, and what came back."""
        spent = await tx.fetchval(
            """
            SELECT sum(fen)::bigint
              FROM (SELECT 0 AS fen
                     UNION ALL SELECT CASE WHEN p.is_held OR (p.paid_at IS NOT NULL AND p.paid_fen = p.amount_fen)
                                           THEN q.amount_fen - q.refunded_fen ELSE 0 END
                                 FROM payments p JOIN payment_parts q ON q.payment_id = p.id AND q.tender = 'wallet'
                                WHERE p.account_id = $1
                     UNION ALL SELECT amount_fen FROM withdrawals
                                WHERE owner_kind || owner_id = 'customer' || $1
                                  AND state NOT IN ('rejected', 'failed')) AS spent
            """,
            customer,
        )
        holds = await wallet.balance(tx, customer)
        expected = self.witness.given[customer] - spent
        return [] if holds == expected else [f"{customer} holds {holds}, was given and has not spent {expected}"]

    async def _bank(self, tx: Any, channel: str) -> list[str]:
        """What the bank has is what the book says: nothing it was paid is unknown, once all has been asked."""
        told = await tx.fetchval(
            """
            SELECT coalesce(sum(t.amount_fen), 0)::bigint FROM bank.trades t
              JOIN channel_attempts a ON a.payment_id = t.number AND a.state = 'paid' WHERE t.channel = $1""",
            channel,
        )
        back = await tx.fetchval(
            """
            SELECT coalesce(sum(r.amount_fen), 0)::bigint FROM bank.refunds r
              JOIN bank.trades t ON t.number = r.trade WHERE t.channel = $1""",
            channel,
        )
        ours = -await ledger.balance(tx, ledger.clearing(channel))
        return [] if ours == told - back else [f"{channel} has {told - back} of ours, the book says {ours}"]


class Nothing(HubError):
    """There is no order yet."""

    code = "test_nothing"


WORKERS_TURN = {
    "paid": "accept",
    "accepted": "depart",
    "departed": "arrive",
    "arrived": "start",
    "leave_confirmed": "leave",
}
OPERATIONS = {
    "go_on": 90, "post": 3, "choose": 4, "pay": 4, "begin": 4, "mix": 5, "press": 12, "cancel": 1.5, "decide": 6,
    "refund": 4, "handle_refund": 5, "forgive": 2, "withdraw": 3, "handle_withdrawal": 6, "give": 2, "time_passes": 2,
}  # fmt: skip
"""By weight: most orders shall come to their end, and be asked money back of."""


async def run(server: str, *, operations: int, clients: int, seed: int) -> tuple[Crowd, list[str]]:
    async with scratch(server, "crowd") as url, street_on(url, pool_size=clients + 12) as street:
        crowd = Crowd(street, seed)
        return crowd, await crowd.work(operations, clients=clients)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.money.crowd", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(argv)
    folder, began = Path(tempfile.mkdtemp(prefix="fieldhub-crowd-")), time.monotonic()
    postgres = engines.start_postgres(folder, durable=False)
    try:
        work = run(postgres.url, operations=arguments.operations, clients=arguments.clients, seed=arguments.seed)
        crowd, wrong = asyncio.run(work)
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for answer, times in sorted(crowd.witness.answers.items(), key=lambda one: -one[1]):
        print(f"{times:8,} {answer}")
    print(f"{crowd.done:,} operations in {time.monotonic() - began:,.0f} s, seed {arguments.seed}: {len(wrong)} wrong")
    for fault in wrong[:20]:
        print(f"  {fault}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
