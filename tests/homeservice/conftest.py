"""A small town of home service: one region, a few items, customers with money, technicians with positions.

A test says `order = await town.order()`, `tech = await town.technician(metres=300)`, `await town.paid(order)`,
`await town.advance(minutes=5)` and asks `await town.job(order.id)`, `await town.heard("customer:acc_1", "order.")`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

import dispatch
from chat import cases
from dispatch.model import Grab, Worker
from geo.distance import destination
from geo.point import Point
from rest.lines.homeservice import actions, catalogue, codes, store, technicians
from rest.lines.homeservice.deadlines import DEADLINES
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import Job
from rest.lines.homeservice.rules import HomeserviceRules
from rest.lines.homeservice.subscribers import SUBSCRIBERS
from rest.marketing import coupons
from rest.money import ledger, payments, wallet
from rest.money.payments import Method
from rest.money.settlement.deadlines import DEADLINES as SETTLEMENT_DEADLINES
from rest.trade import orders
from rest.trade.orders import audit as orders_audit
from rest.trade.pricing import DistanceTariff
from storage import outbox
from storage.base import codec
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.dispatch.invariants import violations as pool_violations
from tests.homeservice.invariants import violations as order_violations

SQUARE = Point(104.06, 30.66)
REGION = "510104"
MASSAGE = "itm_massage"
CLEANING = "itm_cleaning"
PRICES = {MASSAGE: 40_000, CLEANING: 12_000}
TARIFF = DistanceTariff(base_m=3_000, base_fen=900, per_km_fen=250)


@dataclass(frozen=True)
class Tech:
    """A technician of the town."""

    worker: Worker
    account_id: str
    place: Point

    @property
    def id(self) -> str:
        return self.worker.id


@dataclass
class Town:
    db: Database
    clock: ManualClock
    dispatcher: dispatch.Dispatcher
    runner: JobRunner
    rules: HomeserviceRules
    made: int = 0
    technicians: list[Tech] = field(default_factory=list)

    # People

    async def open(self) -> None:
        """The region with its items."""
        async with self.db.begin() as tx:
            for item_id, minutes in ((MASSAGE, 60), (CLEANING, 120)):
                await catalogue.save_item(
                    tx, item_id, name={"en": item_id, "zh-CN": item_id}, detail={}, minutes=minutes
                )
            await catalogue.open_regions(tx, [REGION], tariff=TARIFF, rate_bps=6_000, prices=PRICES)

    async def technician(self, *, metres: float = 500, online: bool = True, **settings: Any) -> Tech:
        """Somebody `metres` from the square, with a fresh position that the dispatcher knows."""
        tech = await self.newcomer(metres=metres, online=online, **settings)
        await self.fix(tech, tech.place)
        return tech

    async def newcomer(self, *, metres: float = 500, online: bool = True, **settings: Any) -> Tech:
        """A technician the dispatcher has not heard of: he is offered nothing, but may grab."""
        self.made += 1
        account_id, place = f"acc_tech{self.made}", destination(SQUARE, 37.0 * self.made, metres)
        async with self.db.begin() as tx:
            mine = await technicians.add_technician(
                tx, account_id, real_name="Li", display_name=f"Tech {self.made}", city="Chengdu", area_code=REGION
            )
            if settings:
                changes = technicians.OrderSettings(**settings)
                mine = await technicians.change_settings(tx, account_id, changes)
            if online:
                await dispatch.go_online(tx, mine.worker.id)
            fix = (mine.worker.id, place.lon, place.lat, 5.0, None, None, tx.now)
            await dispatch.save_positions(tx, [fix])
        tech = Tech(mine.worker, account_id, place)
        self.technicians.append(tech)
        return tech

    async def fix(self, tech: Tech, place: Point) -> None:
        """The technician is here now."""
        self.dispatcher.moved((tech.id, place.lon, place.lat, 5.0, None, None, self.clock.now()))
        await self.dispatcher.flush()
        await self.dispatcher.refresh([tech.id])

    async def fresh(self) -> None:
        """Every technician repeats his position, so that nobody's fix is stale."""
        for tech in self.technicians:
            self.dispatcher.moved((tech.id, tech.place.lon, tech.place.lat, 5.0, None, None, self.clock.now()))
        await self.dispatcher.flush()

    async def customer(self, *, fen: int = 100_000) -> str:
        self.made += 1
        account_id = f"acc_cust{self.made}"
        if fen:
            async with self.db.begin() as tx:
                await wallet.credit(tx, account_id, fen, f"gift:{account_id}", "test")
        return account_id

    async def template(self, *, quota: int = 1_000, per_account_max: int = 1_000, **terms: Any) -> coupons.Template:
        """A kind of coupon people may take; 50 yuan off for 30 days unless something else is said."""
        if not {"amount_fen", "percent_bps"} & terms.keys():
            terms["amount_fen"] = 5_000
        if "valid_from" not in terms:
            terms.setdefault("valid_days", 30)
        return await self.db.run(
            coupons.create_template,
            name={"zh-CN": "券", "en": "Coupon"},
            terms=coupons.Terms(**terms),
            quota=quota,
            per_account_max=per_account_max,
            claimable=True,
            by_id="acc_ops",
        )

    async def coupon(self, customer_id: str, **terms: Any) -> str:
        """A coupon of its own kind in this customer's hands."""
        template = await self.template(**terms)
        return (await self.db.run(coupons.claim, template.id, customer_id)).coupon.id

    # Orders

    def wanted(self, *, in_h: float = 3, item_id: str = MASSAGE, qty: int = 1, **changes: Any) -> actions.Wanted:
        given = {
            "item_id": item_id,
            "qty": qty,
            "start_at": self.clock.now() + timedelta(hours=in_h),
            "contact": "Wang",
            "phone": "13800001234",
            "detail": "Building 3, room 1204",
            "point": SQUARE,
            "region_code": REGION,
        }
        return actions.Wanted(**(given | changes))

    async def post(self, customer_id: str | None = None, **wanted: Any) -> Job:
        customer_id = customer_id or await self.customer()
        return await self.db.run(actions.post, self.rules, customer_id, self.wanted(**wanted))

    async def grab(self, job: Job, tech: Tech, request_id: str | None = None) -> Grab:
        return await self.db.run(actions.grab, job.order.call_id, tech.id, request_id=request_id)

    async def choose(self, job: Job, grab: Grab) -> Job:
        return await self.db.run(actions.choose, job.order.id, job.order.customer_id, grab.id)

    async def pay(self, job: Job) -> Job:
        return await self.db.run(actions.pay, job.order.id, job.order.customer_id, "wallet")

    async def attempt(self, job: Job, method: Method = Method.WECHAT) -> str:
        """An open payment attempt over a channel."""

        async def open_it(tx: Any) -> str:
            now = await HOMESERVICE.read(tx, job.order.id)
            payment = await payments.open_payment(
                tx,
                order_id=job.order.id,
                account_id=job.order.customer_id,
                amount_fen=now.order.total_fen,
                lock_epoch=now.visit.lock_epoch,
                method=method,
            )
            return payment.id

        return await self.db.run(open_it)

    async def receive(self, job: Job, payment_id: str, ref: str | None = None) -> Job:
        return await self.db.run(actions.receive_money, job.order.id, payment_id, ref=ref)

    async def by_customer(self, verb: Callable[..., Any], job: Job, *args: Any) -> Any:
        return await self.db.run(verb, job.order.id, job.order.customer_id, *args)

    async def by_worker(self, verb: Callable[..., Any], job: Job, tech: Tech, *args: Any) -> Any:
        return await self.db.run(verb, job.order.id, tech.id, *args)

    async def code(self, job: Job) -> str:
        issued = await self.db.run(codes.issue, job.order.id, self.rules.code_ttl_s)
        return issued.code

    async def in_status(self, status: str, tech: Tech | None = None, **wanted: Any) -> tuple[Job, Tech]:
        """An order brought to this status along the usual way, and its technician."""
        tech = tech or await self.technician()
        job = await self.post(**wanted)
        for name in WAY_TO[status]:
            job = await self._go(job, tech, name)
        assert job.order.status == status
        return job, tech

    async def _go(self, job: Job, tech: Tech, name: str) -> Job:
        if name == "grab":
            await self.grab(job, tech)
            return await self.job(job)
        if name == "choose":
            return await self.choose(job, (await self.grabs(job))[0])
        if name == "pay":
            return await self.pay(job)
        if name == "cancel":
            return await self.by_customer(actions.cancel, job, "changed my mind")
        if name == "drop":
            return await self.db.run(actions.decide_cancel, job.order.id, "acc_staff", saved=False, note="ok")
        if name in {"insist", "terminate"}:
            verb = {"insist": actions.break_off, "terminate": actions.terminate}[name]
            return await self.db.run(verb, job.order.id, "acc_staff", "talked")
        if name == "ask_terminate":
            return await self.by_worker(actions.ask_terminate, job, tech, "tired")
        if name == "reject":
            return await self.by_worker(actions.reject, job, tech, "ill")
        if name == "arrive":
            self.clock.advance(seconds=1)  # a fix is only taken over an older one
            await self.fix(tech, SQUARE)
        if name == "start":
            return await self.by_worker(actions.start, job, tech, await self.code(job))
        verb = getattr(actions, name)
        if name in {"end", "confirm_left"}:
            return await self.by_customer(verb, job)
        return await self.by_worker(verb, job, tech)

    # Looking

    async def job(self, job: Job | str) -> Job:
        order_id = job if isinstance(job, str) else job.order.id
        async with self.db.begin() as tx:
            found = await store.read(tx, order_id)
        assert found is not None
        return found

    async def status(self, job: Job) -> str:
        return (await self.job(job)).order.status

    async def grabs(self, job: Job) -> list[Grab]:
        from rest.lines.homeservice import candidates

        async with self.db.begin() as tx:
            return await candidates.shown_grabs(tx, job.order.call_id)

    async def events(self, job: Job) -> list[orders.Event]:
        async with self.db.begin() as tx:
            return await orders.events(tx, job.order.id)

    async def open_cases(self, job: Job) -> dict[str, str]:
        """Type → stage of the order's open cases."""
        async with self.db.begin() as tx:
            rows = await tx.fetch(
                "SELECT type, stage FROM cases WHERE subject_id = $1 AND state <> 'closed'", job.order.id
            )
        return {row["type"]: row["stage"] for row in rows}

    async def outcomes(self, job: Job) -> dict[str, str]:
        """Type → outcome of the order's closed cases."""
        async with self.db.begin() as tx:
            rows = await tx.fetch(
                "SELECT type, outcome FROM cases WHERE subject_id = $1 AND state = 'closed'", job.order.id
            )
        return {row["type"]: row["outcome"] for row in rows}

    async def balance(self, code: str) -> int:
        async with self.db.begin() as tx:
            return await ledger.balance(tx, code)

    async def coupon_state(self, coupon_id: str) -> tuple[str, str | None]:
        """Its state, and the order that holds it."""
        async with self.db.begin() as tx:
            row = await tx.fetchrow("SELECT state, order_id FROM coupons WHERE id = $1", coupon_id)
        return row["state"], row["order_id"]

    async def wallet(self, customer_id: str) -> int:
        return await self.balance(ledger.customer_wallet(customer_id))

    async def heard(self, listener: str, topic: str = "") -> list[dict[str, Any]]:
        """Facts told to this listener so far, oldest first."""
        async with self.db.begin() as tx:
            while await outbox.number(tx, limit=1000):
                pass
            facts = await outbox.gap(tx, [listener], since=0, upto=10**9, limit=10_000)
        return [{"topic": f.topic, **codec.loads(f.body)} for f in facts if f.topic.startswith(topic)]

    # Time

    async def run(self) -> int:
        """Fire what is due now; nothing of it may fail."""
        fired = await self.runner.drain()
        async with self.db.begin() as tx:
            failed = await tx.fetch("SELECT key, last_error FROM jobs WHERE last_error IS NOT NULL")
        assert failed == []
        return fired

    async def advance(self, **step: float) -> None:
        """Move the clock and fire what became due, with everybody's position fresh."""
        self.clock.advance(**step)
        await self.fresh()
        await self.run()

    async def faults(self) -> list[str]:
        """What is wrong with the pool, the orders, and the book."""
        async with self.db.begin() as tx:
            book = await ledger.verify(tx) + await orders_audit.verify(tx)
        return [*await pool_violations(self.db), *await order_violations(self.db), *book]


_SERVED = ["grab", "choose", "pay", "accept", "depart", "arrive", "start", "end", "confirm_left", "leave"]
WAY_TO = {
    "in_pool": [],
    "has_candidates": _SERVED[:1],
    "pending_payment": _SERVED[:2],
    "paid": _SERVED[:3],
    "accepted": _SERVED[:4],
    "departed": _SERVED[:5],
    "arrived": _SERVED[:6],
    "in_service": _SERVED[:7],
    "service_ended": _SERVED[:8],
    "leave_confirmed": _SERVED[:9],
    "completed": _SERVED,
    "rejected": [*_SERVED[:3], "reject"],
    "cancel_requested": [*_SERVED[:3], "cancel"],
    "cancelled": [*_SERVED[:3], "cancel", "drop"],
    "closed_penalty": [*_SERVED[:5], "cancel", "insist"],
    "terminated": [*_SERVED[:5], "ask_terminate", "terminate"],
}


async def build_town(db: Database, clock: ManualClock, settings: Settings, rules: HomeserviceRules) -> Town:
    """An open town without people on an empty database."""
    town = Town(db, clock, *new_worker_process(db, settings), rules)
    await town.open()
    return town


def new_worker_process(db: Database, settings: Settings) -> tuple[dispatch.Dispatcher, JobRunner]:
    """What the worker process holds in memory."""
    dispatcher = dispatch.Dispatcher(db)
    handlers = {**dispatcher.handlers(), **DEADLINES, **SETTLEMENT_DEADLINES, **cases.DEADLINES, **coupons.DEADLINES}
    return dispatcher, JobRunner(db, settings, handlers, subscribers=SUBSCRIBERS)


@pytest.fixture
async def new_town(db: Database, clock: ManualClock, settings: Settings) -> Callable[..., Any]:
    async def make(rules: HomeserviceRules | None = None) -> Town:
        return await build_town(db, clock, settings, rules or HomeserviceRules())

    return make


@pytest.fixture
async def town(new_town: Callable[..., Any]) -> Town:
    return await new_town()
