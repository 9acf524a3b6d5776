"""Payments by bank transfer, of a line the cashier has never heard of: voucher, review, money, and its way back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import ClientSession, web

from rest.edge import MACHINE, Machine, ProblemRunner
from rest.edge.serve import around, mount
from rest.money import ledger, payments, wallet
from rest.money.cashier import PAYABLES, Payables
from rest.money.cashier.routes import cashier_routes
from rest.money.channels.routes import ROUTES as CHANNEL
from rest.money.channels.subscribers import SUBSCRIBERS as CHANNEL_SUBSCRIBERS
from rest.money.payments.audit import verify
from rest.money.transfers import DEADLINES
from rest.money.transfers.model import TRANSITIONS, OwnTransfer, Transfer, TransferState, WrongTransferState
from rest.money.transfers.routes import ROUTES
from storage import files
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.jobs import JobRunner, join_subscribers
from storage.postgres import Database
from tests.conftest import MONDAY
from tests.edge.conftest import Client
from tests.money import kiosk
from tests.money.serving import KnownPeople

PEOPLE = {"ann": [], "ben": [], "fay": ["finance"], "sue": ["support"]}
PRICE = 90_000_00
"""More than one payment may be otherwise: transfers are exempt (RV-280)."""


@dataclass
class Desk:
    """The kiosk's cashier, the bank's clerk, and everything that is due."""

    db: Database
    clock: ManualClock
    runner: JobRunner
    client: Client
    keys: int = 0

    async def call(self, method: str, path: str, body: Any = None, *, who: str = "ann") -> tuple[int, Any]:
        self.keys += 1
        headers = {"Idempotency-Key": f"key-transfer-{self.keys:06}"} if method == "POST" else {}
        status, _, answer = await self.client.as_(who).send(method, path, json=body, headers=headers)
        return status, answer

    async def begun(self) -> tuple[str, str]:
        """Something sold, and its payment by transfer."""
        one = await self.db.run(kiosk.sell, "acc_ann", PRICE)
        status, done = await self.call("POST", "/v1/payments", {"order_id": one, "tenders": [{"method": "offline"}]})
        assert status == 201, done
        return one, done["payment"]["payment_id"]

    async def picture(self, owner: str = "acc_ann", purpose: str = "voucher") -> str:
        async with self.db.begin() as tx:
            kept = await files.keep(
                tx, b"\x89PNG", owner_id=owner, purpose=purpose, media_type="image/png", name="voucher.png",
                expires_at=tx.now + kiosk.WINDOW,
            )  # fmt: skip
        return kept.id

    async def sent(self) -> tuple[str, str]:
        """The same, with its voucher."""
        one, number = await self.begun()
        status, view = await self.call("POST", f"/v1/payments/{number}/transfer", {"file_id": await self.picture()})
        assert (status, view["state"]) == (201, "review"), view
        return one, number

    async def confirm(
        self, number: str, fen: int = PRICE, ref: str = "20260105-1", who: str = "fay"
    ) -> tuple[int, Any]:
        body = {"amount": {"amount": fen, "currency": "CNY"}, "bank_ref": ref}
        return await self.call("POST", f"/v1/admin/transfers/{number}/confirm", body, who=who)

    async def status(self, one: str) -> str:
        async with self.db.begin() as tx:
            assert await ledger.verify(tx) + await verify(tx) == []
            return str(await tx.fetchval("SELECT status FROM test_kiosk WHERE id = $1", one))

    async def balance(self, code: str) -> int:
        async with self.db.begin() as tx:
            return await ledger.balance(tx, code)


@pytest.fixture
async def desk(db: Database, clock: ManualClock, settings: Settings) -> AsyncIterator[Desk]:
    await kiosk.open_kiosk(db)
    kinds = (kiosk.Kiosk(),)
    app = web.Application(middlewares=[around], client_max_size=settings.request_bytes_max)
    app[MACHINE] = Machine(db, settings, KnownPeople(db, PEOPLE))
    app[PAYABLES] = Payables(kinds)
    mount(app, [*cashier_routes(kinds), *ROUTES, *CHANNEL])
    handlers = {**DEADLINES, kiosk.KINDS_TIMER: kiosk.close}
    jobs = JobRunner(db, settings, handlers, subscribers=join_subscribers(kiosk.SUBSCRIBERS, CHANNEL_SUBSCRIBERS))
    runner = ProblemRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with ClientSession() as session:
            base = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield Desk(db, clock, jobs, Client(base, session, None))
    finally:
        await runner.cleanup()


A_TRANSFER = Transfer(
    payment_id="pay_1", order_id="kio_1", account_id="acc_ann", amount_fen=5, file_id="fil_1",
    state=TransferState.REVIEW, bank_ref=None, reason=None, decided_by=None, version=1, sent_at=MONDAY, decided_at=None,
)  # fmt: skip


@pytest.mark.parametrize("state", TransferState)
@pytest.mark.parametrize("verb", ["confirm", "reject"])
def test_every_decision_in_every_state(state: TransferState, verb: str) -> None:
    transfer = replace(A_TRANSFER, state=state)
    with pytest.raises(OwnTransfer):
        transfer.decided(verb, by="acc_ann", at=MONDAY)
    if (state, verb) in TRANSITIONS:
        assert transfer.decided(verb, by="acc_fay", at=MONDAY).state is TRANSITIONS[state, verb]
    else:
        with pytest.raises(WrongTransferState):
            transfer.decided(verb, by="acc_fay", at=MONDAY)


async def test_from_the_voucher_to_the_money_and_back(desk: Desk) -> None:
    """RV-284, RV-285: the timer stops; confirmed at its exact amount; given back by hand, which finance notes."""
    one, number = await desk.sent()
    assert await desk.status(one) == "transfer_review"
    desk.clock.advance(minutes=20)
    await desk.runner.drain()
    assert await desk.status(one) == "transfer_review"
    assert (await desk.call("GET", "/v1/admin/transfers", who="sue"))[0] == 403
    [listed] = (await desk.call("GET", "/v1/admin/transfers", who="fay"))[1]["data"]
    assert (listed["payment_id"], listed["amount"]["amount"]) == (number, PRICE)
    assert (await desk.call("GET", f"/v1/admin/transfers/{number}/voucher", who="fay"))[1] == b"\x89PNG"

    status, problem = await desk.confirm(number, PRICE - 1)
    assert (status, problem["code"]) == (422, "amount_mismatch")
    assert (await desk.confirm(number))[1]["state"] == "confirmed"
    assert (await desk.confirm(number))[0] == 200  # said again
    assert (await desk.confirm(number, ref="20260105-2"))[1]["code"] == "transfer_state"
    await desk.runner.drain()
    assert await desk.status(one) == "paid"
    assert await desk.balance(ledger.clearing("offline")) == -PRICE

    async with desk.db.begin() as tx:
        await payments.give_back(tx, one, 500, ref="r1", reason="broken")
    await desk.runner.drain()
    [refund] = (await desk.call("GET", "/v1/admin/channel_refunds", who="fay"))[1]["data"]
    assert (refund["channel"], refund["state"], refund["amount"]["amount"]) == ("offline", "manual", 500)
    path = f"/v1/admin/channel_refunds/{refund['id']}"
    assert (await desk.call("POST", f"{path}/retry", who="fay"))[1]["code"] == "channel_state"
    for _ in range(2):
        assert (await desk.call("POST", f"{path}/done", {"bank_ref": "back-77"}, who="fay"))[1]["state"] == "done"
    assert (await desk.call("POST", f"{path}/done", {"bank_ref": "back-78"}, who="fay"))[1]["code"] == "channel_state"
    assert await desk.balance(ledger.refunding("offline")) == 0
    assert await desk.balance(ledger.clearing("offline")) == 500 - PRICE
    assert (await desk.call("GET", "/v1/admin/channel_refunds", who="fay"))[1]["data"] == []


async def test_a_rejected_transfer_is_payable_again(desk: Desk) -> None:
    """RV-285: with the reason, and a new window."""
    one, number = await desk.sent()
    body = {"reason": "no such money"}
    for _ in range(2):
        assert (await desk.call("POST", f"/v1/admin/transfers/{number}/reject", body, who="fay"))[1][
            "state"
        ] == "rejected"
    await desk.runner.drain()
    assert await desk.status(one) == "unpaid"
    assert (await desk.call("GET", f"/v1/payments/{number}"))[1]["state"] == "failed"
    status, again = await desk.call("POST", "/v1/payments", {"order_id": one, "tenders": [{"method": "offline"}]})
    assert (status, again["payment"]["payment_id"] != number) == (201, True)
    desk.clock.advance(minutes=16)
    await desk.runner.drain()
    assert await desk.status(one) == "closed"


async def test_what_a_voucher_is_not(desk: Desk) -> None:
    one, number = await desk.begun()
    path = f"/v1/payments/{number}/transfer"
    for picture in (
        await desk.picture("acc_ben"),
        await desk.picture(purpose="chat"),
        "fil_00000000000000000000000000",
    ):
        assert (await desk.call("POST", path, {"file_id": picture}))[0] == 404
    mine = await desk.picture()
    assert (await desk.call("POST", path, {"file_id": mine}, who="ben"))[0] == 404
    assert (await desk.call("POST", path, {"file_id": mine}))[0] == 201
    status, problem = await desk.call("POST", path, {"file_id": mine})
    assert (status, problem["code"]) == (409, "payment_state")
    async with desk.db.begin() as tx:
        await wallet.credit(tx, "acc_ann", PRICE, "gift", "test")
    # While somebody looks, nothing else pays it; giving it up first lets it be paid.
    other = {"order_id": one, "tenders": [{"method": "wallet"}]}
    assert (await desk.call("POST", "/v1/payments", other))[0] == 422  # the limit of one payment
    async with desk.db.begin() as tx:
        with pytest.raises(payments.WrongPaymentState):
            await payments.open_payment(tx, order_id=one, account_id="acc_ann", amount_fen=PRICE, lock_epoch=1)
    assert await desk.status(one) == "transfer_review"


async def test_money_confirmed_after_the_customer_gave_up_goes_back(desk: Desk) -> None:
    """HS-058 for transfers: late like any other."""
    one, number = await desk.sent()
    assert (await desk.call("POST", f"/v1/payments/{number}/cancel"))[1]["state"] == "closed"
    assert (await desk.confirm(number))[0] == 200
    await desk.runner.drain()
    assert (await desk.call("GET", f"/v1/payments/{number}"))[1]["state"] == "refunded"
    assert await desk.balance(ledger.refunding("offline")) == PRICE
    assert await desk.balance(ledger.unapplied("acc_ann")) == 0


async def test_one_number_of_the_bank_pays_once(desk: Desk) -> None:
    """Two clerks book the same line of the statement for two customers at the same moment."""
    numbers = [(await desk.sent())[1] for _ in range(2)]
    answers = await asyncio.gather(*(desk.confirm(number) for number in numbers))
    assert sorted((status, answer.get("code")) for status, answer in answers) == [
        (200, None), (409, "transfer_ref_used"),
    ]  # fmt: skip


async def test_a_review_that_waits_is_remembered_every_day(desk: Desk) -> None:
    """RV-285."""
    _, number = await desk.sent()
    for _ in range(2):
        desk.clock.advance(hours=24)
        assert await desk.runner.drain() == 1
    await desk.confirm(number)
    await desk.runner.drain()
    desk.clock.advance(hours=48)
    assert await desk.runner.drain() == 0
