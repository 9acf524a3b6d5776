"""A member's order: the discount in every price he is shown, as long as he is a member, and borne by the platform."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.lines.homeservice import actions, prices, vouchers
from rest.lines.homeservice.model import Job
from rest.lines.homeservice.payable import HomeservicePayable
from rest.marketing.membership import Rights
from rest.money import ledger
from rest.money.settlement.split import Basis, split
from rest.trade import orders
from rest.trade.pricing import (
    COUPON,
    ITEM,
    MEMBER,
    TRAVEL,
    VOUCHER,
    Discount,
    PriceChanged,
    PriceLine,
    price_lines,
    taken_off,
    total,
)
from storage.base.clock import ManualClock
from storage.base.errors import HubError
from storage.base.money import share_bps
from storage.postgres import Database
from tests.conftest import MONDAY
from tests.edge.conftest import Client
from tests.homeservice.conftest import MASSAGE, Tech, Town
from tests.homeservice.invariants import CHECKS
from tests.homeservice.test_http import AT, client, coupon_of, ok, post
from tests.homeservice.test_http import ITEM as SOLD
from tests.marketing.membership.conftest import buy
from tests.money import invariants as money
from tests.money.members_book import publish
from tests.money.test_split import HOME

__all__ = ["client"]  # the fixture

SERVE = ("accept", "depart", "arrive", "start", "end", "confirm_left", "leave")


async def member(town: Town, *, code: str = "gold", fen: int = 100_000, **level: Any) -> str:
    """A customer who is a member for a month: 10 % off."""
    customer = await town.customer(fen=fen)
    made = await publish(town.db, code, **level)
    await buy(town.db, customer, code, version=made.version)
    return customer


async def refusal(act: Any) -> HubError:
    with pytest.raises(HubError) as found:
        await act
    return found.value


async def choose(town: Town, job: Job, grab_id: str, shown: str | None = None) -> Job:
    return await town.db.run(actions.choose, job.order.id, job.order.customer_id, grab_id, shown=shown)


async def pay(town: Town, job: Job, shown: str | None = None) -> Job:
    return await town.db.run(actions.pay, job.order.id, job.order.customer_id, "wallet", shown=shown)


async def quotes(town: Town, job: Job) -> list[tuple[int, str]]:
    """Total and hash of each candidate, as the customer's list shows them now."""
    grabs, now = await town.grabs(job), await town.job(job)
    async with town.db.begin() as tx:
        shown = await actions.quotes_now(tx, now, grabs)
    return [(one["total_fen"], one["quote_hash"]) for one in shown.values()]


async def lapse(town: Town, *, but_s: float = 0) -> None:
    """Time goes on until a month after the test began, less some seconds."""
    ends = MONDAY + timedelta(days=31)
    town.clock.advance(seconds=(ends - town.clock.now()).total_seconds() - but_s)


async def near_the_end(town: Town, *, techs: int = 1, **wanted: Any) -> tuple[Job, list[Tech]]:
    """An order posted a minute before its customer's membership ends, and technicians who grabbed it."""
    customer = await member(town)
    await lapse(town, but_s=60)
    found = [await town.newcomer(work_from_min=0, work_to_min=1440) for _ in range(techs)]
    job = await town.post(customer, **wanted)
    for tech in found:
        await town.grab(job, tech)
    assert job.visit.member_fen == 4_000
    return await town.job(job), found


async def test_an_order_of_a_member_is_cheaper_and_the_platform_bears_it(town: Town) -> None:
    """Item 400.00, travel 9.00, a member's 10 %: 369.00; the technician's 60 % are of 400.00."""
    customer = await member(town)
    tech = await town.technician(metres=2_000)
    job = await town.post(customer)
    assert await town.job(job) == job
    assert (job.visit.member_fen, job.visit.member_level) == (4_000, "gold")
    grab = await town.grab(job, tech)
    assert (grab.quote["member_fen"], grab.quote["total_fen"]) == (4_000, 36_900)
    job = await choose(town, job, grab.id, grab.quote["quote_hash"])
    async with town.db.begin() as tx:
        lines = (await orders.lines_of(tx, {job.order.id: job.visit.lock_epoch}))[job.order.id]
    assert [(line.kind, line.amount_fen, line.ref, line.allocated_to) for line in lines] == [
        ("item", 40_000, MASSAGE, None), ("travel", 900, "", None), ("discount.member", -4_000, "gold", 1),
    ]  # fmt: skip
    job = await pay(town, job, grab.quote["quote_hash"])
    for verb in SERVE:
        job = await town._go(job, tech, verb)
    assert await town.balance(ledger.pending("worker", tech.id)) == 24_900
    assert await town.balance(ledger.revenue("homeservice")) == 36_900 - 24_900
    await town.db.run(actions.refund, job.order.id, "acc_fay", 12_345, "complaint")
    assert await town.balance(ledger.pending("worker", tech.id)) == round(24_900 * (36_900 - 12_345) / 36_900)
    await town.db.run(actions.refund, job.order.id, "acc_fay", 36_900 - 12_345, "all of it")
    codes = (ledger.pending("worker", tech.id), ledger.revenue("homeservice"))
    assert [await town.balance(code) for code in codes] == [0, 0]
    assert await town.wallet(customer) == 97_000
    assert await town.faults() == []


PLANTS = (
    "UPDATE homeservice_orders SET member_fen = member_fen - 1",
    "UPDATE homeservice_orders SET member_level = 'black'",
    "UPDATE order_lines SET amount_fen = amount_fen + 1 WHERE kind = 'discount.member'",
    "UPDATE settlements SET basis = jsonb_set(basis::jsonb, '{member}', '0')",
)


async def test_a_members_discount_that_is_wrong_is_called_so(town: Town) -> None:
    customer = await member(town)
    tech = await town.technician()
    job = await town.post(customer)
    job = await pay(town, await choose(town, job, (await town.grab(job, tech)).id))
    for verb in SERVE:
        job = await town._go(job, tech, verb)
    name = next(name for name in CHECKS if name.startswith("HS-188"))
    for sql in PLANTS:
        with pytest.raises(ZeroDivisionError):
            async with town.db.begin() as tx:
                await tx.execute("SET LOCAL session_replication_role = replica")
                assert await tx.fetch(CHECKS[name]) == []
                await tx.execute(sql)
                assert [row[0] for row in await tx.fetch(CHECKS[name])], sql
                raise ZeroDivisionError  # nothing of it stays


async def test_the_coupons_threshold_is_met_by_what_a_member_pays(town: Town) -> None:
    """400.00 less 10 % is 360.00; the member's discount first, then the coupon, then the technician's voucher."""
    customer = await member(town)
    tight = await town.coupon(customer, threshold_fen=36_001)
    found = await refusal(town.post(customer, coupon_id=tight))
    assert (found.code, found.fields["reason"]) == ("coupon_not_applicable", "threshold")
    good = await town.coupon(customer, percent_bps=1_000, cap_fen=10_000, threshold_fen=36_000)
    tech = await town.technician(metres=2_000)
    await town.db.run(vouchers.set_voucher, tech.account_id, MASSAGE, vouchers.Terms(amount_fen=2_000), stock=1)
    job = await town.post(customer, coupon_id=good)
    grab = await town.grab(job, tech)
    assert {name: grab.quote[name] for name in ("member_fen", "coupon_fen", "voucher_fen", "total_fen")} == {
        "member_fen": 4_000, "coupon_fen": 3_600, "voucher_fen": 2_000, "total_fen": 31_300,
    }  # fmt: skip
    job = await pay(town, await choose(town, job, grab.id))
    for verb in SERVE:
        job = await town._go(job, tech, verb)
    assert await town.balance(ledger.pending("worker", tech.id)) == 22_900
    assert await town.faults() == []


async def test_whoever_is_no_member_of_this_line_pays_the_price(town: Town) -> None:
    other = await member(town, code="plus", line="rv", rank=1)
    assert (await town.post(other)).visit.member_fen == 0
    gold = await member(town)
    await lapse(town)
    assert (await town.post(gold)).visit.member_fen == 0  # at the very end it is over, its deadline fired or not
    assert (await town.post(await town.customer())).visit.member_fen == 0


async def test_a_membership_that_ends_before_the_choice_changes_the_price(town: Town) -> None:
    job, _ = await near_the_end(town, start_at=MONDAY + timedelta(days=32))
    (grab,) = await town.grabs(job)
    assert await quotes(town, job) == [(36_900, grab.quote["quote_hash"])]
    await lapse(town)
    ((dear, now),) = await quotes(town, job)
    assert (dear, now != grab.quote["quote_hash"]) == (40_900, True)
    for shown in (None, grab.quote["quote_hash"]):
        found = await refusal(choose(town, job, grab.id, shown))
        assert (found.code, found.fields) == ("price_changed", {"quote_hash": now})
    chosen = await choose(town, job, grab.id, now)
    assert (chosen.order.total_fen, chosen.visit.member_fen, chosen.visit.member_until) == (40_900, 0, None)
    assert (await pay(town, chosen, now)).order.paid_fen == 40_900
    assert await town.faults() == []


async def test_whoever_grabs_after_the_end_quotes_without_it(town: Town) -> None:
    job, _ = await near_the_end(town, techs=0, start_at=MONDAY + timedelta(days=32))
    await lapse(town)
    grab = await town.grab(job, await town.newcomer(work_from_min=0, work_to_min=1440))
    assert (grab.quote["member_fen"], grab.quote["total_fen"]) == (0, 40_900)
    job = await choose(town, job, grab.id)  # nothing else was ever shown
    assert (job.order.total_fen, job.visit.member_fen) == (40_900, 0)
    assert await town.faults() == []


async def test_a_membership_that_ends_before_the_payment_changes_the_price(town: Town) -> None:
    """Nothing is taken at the old price, and at the new one only when it was shown; the window runs on."""
    job, _ = await near_the_end(town, start_at=MONDAY + timedelta(days=32))
    (grab,) = await town.grabs(job)
    job = await choose(town, job, grab.id)
    before = await town.wallet(job.order.customer_id)
    town.clock.advance(seconds=60)
    async with town.db.begin() as tx:
        due = await HomeservicePayable().due(tx, job.order.id)
    assert due is not None
    assert (due.payable_fen, due.is_payable) == (40_900, True)
    for shown in (None, grab.quote["quote_hash"]):
        found = await refusal(pay(town, job, shown))
        assert (found.code, found.fields) == ("price_changed", {"quote_hash": due.quote_hash})
    assert await town.wallet(job.order.customer_id) == before
    assert (await town.job(job)).visit.lock_epoch == 1
    done = await pay(town, job, due.quote_hash)
    assert (done.order.status, done.order.paid_fen, done.visit.lock_epoch) == ("paid", 40_900, 2)
    assert [event.verb for event in await town.events(job)][-2:] == ["choose", "pay"]
    assert await town.faults() == []


async def test_choosing_the_same_one_again_fixes_the_price_anew(town: Town) -> None:
    job, _ = await near_the_end(town, start_at=MONDAY + timedelta(days=32))
    (grab,) = await town.grabs(job)
    job = await choose(town, job, grab.id)
    town.clock.advance(seconds=60)
    ((dear, now),) = await quotes(town, job)
    assert dear == 40_900
    assert (await refusal(choose(town, job, grab.id))).code == "price_changed"
    again = await choose(town, job, grab.id, now)
    assert (again.order.total_fen, again.visit.lock_expires_at) == (40_900, job.visit.lock_expires_at)
    assert (await choose(town, job, grab.id, now)).order.version == again.order.version  # nothing to fix any more
    assert await quotes(town, job) == [(40_900, now)]
    assert (await pay(town, again, now)).order.paid_fen == 40_900
    assert await town.faults() == []


async def test_another_one_chosen_after_the_end_is_at_the_price_without(town: Town) -> None:
    job, _ = await near_the_end(town, techs=2, start_at=MONDAY + timedelta(days=32))
    first, second = await town.grabs(job)
    job = await choose(town, job, first.id)
    town.clock.advance(seconds=60)
    shown = dict(zip([one.id for one in await town.grabs(job)], await quotes(town, job), strict=True))
    job = await choose(town, job, second.id, shown[second.id][1])
    assert (job.order.total_fen, job.visit.member_fen) == (40_900, 0)
    assert await town.faults() == []


async def test_a_membership_renewed_meanwhile_keeps_the_price_shown(town: Town) -> None:
    job, _ = await near_the_end(town, start_at=MONDAY + timedelta(days=32))
    (grab,) = await town.grabs(job)
    await buy(town.db, job.order.customer_id)
    await lapse(town)
    job = await choose(town, job, grab.id, grab.quote["quote_hash"])
    assert (await pay(town, job, grab.quote["quote_hash"])).order.paid_fen == 36_900
    assert await town.faults() == []


async def test_a_membership_bought_again_keeps_the_price_only_if_it_gives_as_much(town: Town) -> None:
    job, _ = await near_the_end(town, start_at=MONDAY + timedelta(days=32))
    (grab,) = await town.grabs(job)
    await lapse(town)
    await publish(town.db, "silver", discount_bps=900)
    await buy(town.db, job.order.customer_id, "silver")
    assert (await refusal(choose(town, job, grab.id))).code == "price_changed"
    await publish(town.db, "black", discount_bps=2_000)
    await buy(town.db, job.order.customer_id, "black")
    job = await choose(town, job, grab.id, grab.quote["quote_hash"])  # what was shown, not more
    assert job.order.total_fen == 36_900
    assert await town.faults() == []


async def test_paying_late_after_the_end_is_at_the_price_without(town: Town) -> None:
    job, _ = await near_the_end(town, start_at=MONDAY + timedelta(days=32))
    (grab,) = await town.grabs(job)
    await choose(town, job, grab.id)
    await town.advance(minutes=3)
    assert await town.status(job) == "in_pool"
    found = await refusal(pay(town, job, grab.quote["quote_hash"]))
    assert found.code == "price_changed"
    done = await pay(town, job, found.fields["quote_hash"])  # type: ignore[arg-type]
    assert (done.order.paid_fen, done.visit.member_fen) == (40_900, 0)
    assert await town.faults() == []


@pytest.mark.parametrize("after_s", [70, 180])
async def test_money_that_was_under_way_before_the_end_is_taken_at_its_price(town: Town, after_s: int) -> None:
    """An attempt keeps its price: whoever began to pay it as a member has paid it, in time or late."""
    job, _ = await near_the_end(town, start_at=MONDAY + timedelta(days=32))
    (grab,) = await town.grabs(job)
    job = await choose(town, job, grab.id)
    number = await town.attempt(job)
    await town.advance(seconds=after_s)
    done = await town.receive(job, number, ref="w1")
    assert (done.order.status, done.order.paid_fen) == ("paid", 36_900)
    assert await town.faults() == []


async def test_paying_and_the_end_of_the_membership_at_once(town: Town) -> None:
    """Time decides, not who is first: at the end nothing is taken at the old price."""
    job, _ = await near_the_end(town, start_at=MONDAY + timedelta(days=32))
    (grab,) = await town.grabs(job)
    job = await choose(town, job, grab.id, grab.quote["quote_hash"])
    town.clock.advance(seconds=60)
    renewed, paid = await asyncio.gather(
        buy(town.db, job.order.customer_id), pay(town, job, grab.quote["quote_hash"]), return_exceptions=True
    )
    assert not isinstance(renewed, BaseException)
    assert isinstance(paid, PriceChanged) or paid.order.paid_fen == 36_900  # type: ignore[union-attr]
    assert await town.faults() == []


async def test_a_cancelled_order_of_a_member_gives_all_back(town: Town) -> None:
    customer = await member(town)
    tech = await town.technician()
    job = await town.post(customer)
    job = await pay(town, await choose(town, job, (await town.grab(job, tech)).id))
    for name in ("cancel", "drop"):
        job = await town._go(job, tech, name)
    assert (job.order.status, await town.wallet(customer)) == ("cancelled", 97_000)
    assert await town.faults() == []


fen = st.integers(0, 10**8)


@given(fen, fen, fen, fen, st.integers(0, 9_000), st.integers(0, 10_000), st.booleans())
def test_the_technicians_and_the_channels_parts_know_nothing_of_the_members_discount(  # noqa: PLR0917 - drawn
    item_fen: int, travel_fen: int, coupon_fen: int, voucher_fen: int, bps: int, rate_bps: int, has_channel: bool
) -> None:
    """It is taken from the platform's part to the fen, whatever else is on the order."""
    goods, way = [PriceLine(kind=ITEM, amount_fen=item_fen)], PriceLine(kind=TRAVEL, amount_fen=travel_fen)
    off = prices.member_off(Rights(level="gold", discount_bps=bps, ends_at=MONDAY), item_fen)
    voucher = Discount(VOUCHER, min(voucher_fen, share_bps(item_fen, rate_bps)), "w")
    others = [Discount(COUPON, coupon_fen, "c"), voucher]
    lines = price_lines(goods, way, [*([off] if off else []), *others])
    kept = total(lines)
    assert kept >= travel_fen
    basis = {
        "rate_bps": rate_bps, "item": item_fen, "travel": travel_fen, "coupon": taken_off(lines, COUPON),
        "voucher": taken_off(lines, VOUCHER),
    }  # fmt: skip
    without = split(HOME, Basis(kept=kept + taken_off(lines, MEMBER), **basis), has_channel=has_channel)
    with_it = split(HOME, Basis(kept=kept, member=taken_off(lines, MEMBER), **basis), has_channel=has_channel)
    assert with_it[:-1] == without[:-1]
    assert with_it[-1].amount_fen == without[-1].amount_fen - taken_off(lines, MEMBER)


# Over HTTP, from the purchase to the settlement


async def test_a_members_day(client: Client, clock: ManualClock, db: Database) -> None:
    """Buy from the wallet, see the discount in the quote, order at it, pay it, be served, settle; the book is right."""
    level = await publish(db)
    bought = await buy(db, "acc_ann", "gold", version=level.version)
    coupon_id = await coupon_of(db, "acc_ann", threshold_fen=24_120)
    asked = {"line": "homeservice", "mode": "grab", "item_id": SOLD.id, **AT, "coupon_id": coupon_id}
    quote = await ok(client, "ann", "POST", "/v1/quotes", asked)
    assert [(line["kind"], line["amount"]["amount"]) for line in quote["lines"]] == [
        ("item", 26_800), ("discount.member", -2_680), ("discount.coupon", -3_000),
    ]  # fmt: skip
    usable = await ok(client, "ann", "GET", f"/v1/usable_coupons?item_id={SOLD.id}&lon={AT['lon']}&lat={AT['lat']}")
    assert [(one["usable"], one["amount"]["amount"]) for one in usable["data"]] == [(True, 21_120)]
    other = await ok(client, "ben", "POST", "/v1/quotes", {**asked, "coupon_id": None})
    assert (other["total"]["amount"], len(other["lines"])) == (26_800, 1)

    status, _, order = await post(client, clock, coupon_id=coupon_id, quote_hash=quote["quote_hash"])
    assert (status, order["price"]["member"]["amount"]) == (201, 2_680)
    light = (await post(client, clock, key="key-post-00000002"))[2]  # in one statement, without a coupon
    assert (await ok(client, "ann", "GET", f"/v1/orders/{light['id']}"))["price"]["member"]["amount"] == 2_680
    await ok(client, "tom", "POST", "/v1/partner/online")
    await ok(client, "tom", "POST", f"/v1/partner/calls/{order['call_id']}/grab", {})
    path = f"/v1/orders/{order['id']}"
    (grab,) = (await ok(client, "ann", "GET", f"{path}/grabs"))["data"]
    shown = grab["quote"]
    assert (shown["member"]["amount"], shown["total"]["amount"]) == (2_680, 22_020)
    tag = shown["quote_hash"]
    chosen = await ok(client, "ann", "POST", f"{path}/choose", {"grab_id": grab["grab_id"], "quote_hash": tag})
    kinds = [line["kind"] for line in chosen["price"]["lines"]]
    assert kinds == ["item", "travel", "discount.member", "discount.coupon"]
    pay_now = {"method": "wallet", "quote_hash": tag}
    await ok(client, "ann", "POST", f"{path}/pay", pay_now, **{"Idempotency-Key": "key-pay-000000001"})
    mine = f"/v1/partner/orders/{order['id']}"
    for verb in ("accept", "depart", "arrive"):
        await ok(client, "tom", "POST", f"{mine}/{verb}")
    code = (await ok(client, "ann", "POST", f"{path}/service_code"))["code"]
    await ok(client, "tom", "POST", f"{mine}/start", {"code": code})
    await ok(client, "ann", "POST", f"{path}/end")
    await ok(client, "ann", "POST", f"{path}/confirm_left")
    done = await ok(client, "tom", "POST", f"{mine}/leave")
    assert done["status"] == "completed"
    async with db.begin() as tx:
        worker = await tx.fetchval("SELECT provider_id FROM orders WHERE id = $1", order["id"])
        sql = "SELECT (snapshot->>'technician_rate_bps')::int FROM orders WHERE id = $1"
        rate = await tx.fetchval(sql, order["id"])
        pending = await ledger.balance(tx, ledger.pending("worker", worker))
        revenue = await ledger.balance(tx, ledger.revenue("homeservice"))
        assert (pending, revenue) == (share_bps(26_800, rate) + 900, 22_020 - share_bps(26_800, rate) - 900)
        assert await ledger.balance(tx, ledger.revenue("membership")) == bought.price_fen
        assert await ledger.balance(tx, ledger.customer_wallet("acc_ann")) == 100_000 - 3_000 - 22_020
        assert await ledger.verify(tx) == []
        assert await money.faults(tx) == []
