"""Vouchers of technicians: what they take off, who bears it, who gets the last one, and when it comes back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.lines.homeservice import actions, vouchers
from rest.lines.homeservice.model import Job
from rest.lines.homeservice.vouchers import Terms, Voucher, VoucherOverShare, VoucherState
from rest.lines.homeservice.vouchers.model import TRANSITIONS, VERBS, WrongVoucherState, taken_off
from rest.money import ledger
from rest.money.settlement.split import Basis, Part, Rule, split
from rest.trade.pricing import COUPON, ITEM, TRAVEL, VOUCHER, Discount, PriceChanged, PriceLine, price_lines, total
from rest.trade.pricing import taken_off as taken_off_lines
from storage.base.clock import ManualClock
from storage.base.money import share_bps
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.homeservice.conftest import MASSAGE, WAY_TO, Tech, Town
from tests.homeservice.test_http import ITEM as SOLD
from tests.homeservice.test_http import client, ok, post
from tests.homeservice.test_pool import refused
from tests.homeservice.test_races import answer

__all__ = ["client"]  # the fixture

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def a_voucher(state: str = "on", stock: int | None = 3, **terms: Any) -> Voucher:
    return Voucher(
        id="tvo_1", worker_id="wrk_1", item_id=MASSAGE, terms=Terms(**({"amount_fen": 2_000} | terms)), stock=stock,
        taken=1, state=VoucherState(state), replaced_at=None, version=1, created_at=NOW, updated_at=NOW,
    )  # fmt: skip


# Pure


REFUSED = {
    ("used_up", "take"), ("used_up", "take_last"), ("off", "switch_off"), ("on", "switch_on"), ("used_up", "switch_on"),
    ("on", "switch_on_empty"), ("used_up", "switch_on_empty"),
}  # fmt: skip


@pytest.mark.parametrize(("state", "verb"), list(product(VoucherState, VERBS)))
def test_every_verb_in_every_state(state: VoucherState, verb: str) -> None:
    """What is used up cannot be taken, what is off may be (it was quoted), and nobody overrules who switched it off."""
    voucher = a_voucher(state, stock=0 if state == "used_up" else 3)
    if (state.value, verb) in REFUSED:
        with pytest.raises(WrongVoucherState):
            voucher.after(verb, NOW)
        return
    expected = {"switch_off": "off", "switch_on": "on", "switch_on_empty": "used_up", "replace": "off"}.get(verb)
    if expected is None:
        expected = "off" if state == "off" else "used_up" if verb == "take_last" else "on"
    assert voucher.after(verb, NOW).state == expected == TRANSITIONS[state, verb]


@given(st.sampled_from(["on", "off"]), st.none() | st.integers(1, 4), st.lists(st.booleans(), max_size=12))
def test_stock_is_what_was_set_less_what_is_taken(state: str, stock: int | None, steps: list[bool]) -> None:
    voucher = replace(a_voucher(state, stock), taken=0)
    for take in steps:
        if take and not voucher.is_gone:
            voucher = voucher.with_one_taken(NOW)
        elif not take and voucher.taken:
            voucher = voucher.with_one_returned(NOW)
        assert voucher.stock is None if stock is None else voucher.stock == stock - voucher.taken >= 0
        assert (voucher.state == "used_up") == (state == "on" and voucher.stock == 0)


fen = st.integers(0, 10**8)
RULE = Rule(
    line="homeservice",
    version=1,
    parts=(
        Part(kind="technician", party="worker", bps=None, of=("item",), whole=("travel", "-voucher")),
        Part(kind="platform", party="platform"),
    ),
)


@given(st.integers(1, 10**8), fen, fen, st.builds(Terms, amount_fen=fen, min_item_fen=fen), st.integers(0, 10_000))
def test_a_voucher_lowers_the_price_by_at_most_his_share_and_he_bears_all_of_it(
    item_fen: int, travel_fen: int, coupon_fen: int, terms: Terms, rate_bps: int
) -> None:
    items, way = [PriceLine(kind=ITEM, amount_fen=item_fen)], PriceLine(kind=TRAVEL, amount_fen=travel_fen)
    coupon = [Discount(COUPON, coupon_fen, "cpn_1")] if coupon_fen else []
    off = taken_off(terms, item_fen=item_fen, rate_bps=rate_bps, now=NOW)
    before, after = price_lines(items, way, coupon), price_lines(items, way, [*coupon, Discount(VOUCHER, off, "w")])
    taken = taken_off_lines(after, VOUCHER)
    assert total(before) - taken == total(after) >= travel_fen
    assert taken <= share_bps(item_fen, rate_bps)
    if item_fen < terms.min_item_fen:
        assert taken == 0
    basis = {"rate_bps": rate_bps, "item": item_fen, "travel": travel_fen, "coupon": taken_off_lines(after, COUPON)}
    plain = split(RULE, Basis(kept=total(before), **basis), has_channel=False)
    borne = split(RULE, Basis(kept=total(after), voucher=taken, **basis), has_channel=False)
    assert sum(share.amount_fen for share in borne) == total(after)
    assert borne[0].amount_fen == plain[0].amount_fen - taken >= travel_fen
    assert borne[1] == plain[1]


@pytest.mark.parametrize(("after_s", "expected"), [(-1, 2_000), (0, 0), (1, 0)])
def test_a_voucher_ends_at_its_end(after_s: int, expected: int) -> None:
    terms = Terms(amount_fen=2_000, valid_until=NOW)
    assert taken_off(terms, item_fen=40_000, rate_bps=6_000, now=NOW + timedelta(seconds=after_s)) == expected


# An order with one


async def set_voucher(town: Town, tech: Tech, amount_fen: int = 2_000, *, stock: int | None = 1, **terms: Any) -> str:
    made = await town.db.run(
        vouchers.set_voucher, tech.account_id, MASSAGE, Terms(amount_fen=amount_fen, **terms), stock=stock
    )
    return made.id


async def state_of(town: Town, voucher_id: str) -> tuple[str, int | None, int]:
    async with town.db.begin() as tx:
        row = await tx.fetchrow("SELECT state, stock, taken FROM technician_vouchers WHERE id = $1", voucher_id)
    return row["state"], row["stock"], row["taken"]


async def brought_to(town: Town, status: str, **wanted: Any) -> tuple[Job, Tech, str]:
    tech = await town.technician()
    voucher_id = await set_voucher(town, tech)
    job = await town.post(**wanted)
    for name in WAY_TO[status]:
        job = await town._go(job, tech, name)
    return job, tech, voucher_id


async def test_a_coupon_and_a_voucher_each_borne_by_who_gave_it(town: Town) -> None:
    """The worked example of the specification, with the way of this town: 240 - 20 + 9 for the technician."""
    customer = await town.customer()
    coupon_id = await town.coupon(customer)
    job, tech, voucher_id = await brought_to(town, "pending_payment", customer_id=customer, coupon_id=coupon_id)
    assert job.order.total_fen == 40_000 + 900 - 5_000 - 2_000
    assert await state_of(town, voucher_id) == ("used_up", 0, 1)
    async with town.db.begin() as tx:
        rows = await tx.fetch("SELECT kind, ref, amount_fen, allocated_to FROM order_lines ORDER BY n")
    assert [tuple(row) for row in rows] == [
        ("item", MASSAGE, 40_000, None),
        ("travel", "", 900, None),
        ("discount.coupon", coupon_id, -5_000, 1),
        ("discount.voucher", tech.id, -2_000, 1),
    ]
    told = await town.heard(f"worker:{tech.id}", "voucher.")
    assert [(fact["voucher_id"], fact["order_id"]) for fact in told] == [(voucher_id, job.order.id)]
    for name in WAY_TO["completed"][2:]:
        job = await town._go(job, tech, name)
    assert await town.balance(ledger.pending("worker", tech.id)) == 24_000 + 900 - 2_000
    assert await town.balance(ledger.revenue("homeservice")) == 16_000 - 5_000
    assert await state_of(town, voucher_id) == ("used_up", 0, 1)
    assert await town.faults() == []


async def test_of_two_customers_one_gets_the_last_and_the_other_is_shown_the_price_without(town: Town) -> None:
    tech = await town.technician()
    voucher_id = await set_voucher(town, tech)
    jobs = [await town.post(in_h=3), await town.post(in_h=9)]
    grabs = [await town.grab(job, tech) for job in jobs]
    assert [grab.quote["total_fen"] for grab in grabs] == [38_900, 38_900]
    answers = await asyncio.gather(*(answer(town.choose(*pair)) for pair in zip(jobs, grabs, strict=True)))
    assert sorted(answers) == ["ok", "price_changed"]
    lost = answers.index("price_changed")
    assert await town.status(jobs[lost]) == "has_candidates"
    assert await state_of(town, voucher_id) == ("used_up", 0, 1)
    async with town.db.begin() as tx:
        quotes = await actions.quotes_now(tx, jobs[lost], [grabs[lost]])
        held = await actions.quotes_now(tx, await town.job(jobs[1 - lost]), [grabs[1 - lost]])
    shown = quotes[grabs[lost].id]
    assert (shown["total_fen"], shown["voucher_fen"], shown["voucher_id"]) == (40_900, 0, None)
    assert held[grabs[1 - lost].id]["total_fen"] == 38_900
    customer_id = jobs[lost].order.customer_id
    with pytest.raises(PriceChanged) as no:
        await town.db.run(
            actions.choose, jobs[lost].order.id, customer_id, grabs[lost].id, shown=grabs[lost].quote["quote_hash"]
        )
    assert no.value.fields == {"quote_hash": shown["quote_hash"]}
    chosen = await town.db.run(
        actions.choose, jobs[lost].order.id, customer_id, grabs[lost].id, shown=shown["quote_hash"]
    )
    assert (chosen.order.total_fen, chosen.visit.voucher_id) == (40_900, None)
    assert (await town.choose(chosen, grabs[lost])).order.total_fen == 40_900  # again changes nothing
    assert await town.faults() == []


RETURNED = {"pending_payment": 0, "paid": 38_900, "accepted": 38_900}


@pytest.mark.parametrize("status", RETURNED)
async def test_a_cancelled_order_gives_it_back(town: Town, status: str) -> None:
    job, tech, voucher_id = await brought_to(town, status)
    job = await town._go(job, tech, "cancel")
    assert await state_of(town, voucher_id) == ("used_up", 0, 1)
    job = await town._go(job, tech, "drop")
    assert (job.order.status, job.order.refunded_fen) == ("cancelled", RETURNED[status])
    assert await state_of(town, voucher_id) == ("on", 1, 0)
    assert await town.faults() == []


@pytest.mark.parametrize(("refunded_fen", "expected"), [(38_899, ("used_up", 0, 1)), (38_900, ("on", 1, 0))])
async def test_it_comes_back_when_all_money_does(town: Town, refunded_fen: int, expected: Any) -> None:
    job, _, voucher_id = await brought_to(town, "completed")
    await town.db.run(actions.refund, job.order.id, "acc_staff", refunded_fen, "quality")
    assert await state_of(town, voucher_id) == expected
    assert await town.faults() == []


@pytest.mark.parametrize(("status", "expected"), [("closed_penalty", ("used_up", 0, 1)), ("terminated", ("on", 1, 0))])
async def test_a_penalty_keeps_it(town: Town, status: str, expected: Any) -> None:
    _, _, voucher_id = await brought_to(town, status)
    assert await state_of(town, voucher_id) == expected
    assert await town.faults() == []


async def test_choosing_another_gives_the_first_ones_back(town: Town) -> None:
    first, second, plain = [await town.technician() for _ in range(3)]
    ids = [await set_voucher(town, tech, fen) for tech, fen in ((first, 2_000), (second, 3_000))]
    job = await town.post()
    grabs = [await town.grab(job, tech) for tech in (first, second, plain)]
    for grab, price_fen, stocks in ((0, 38_900, [0, 1]), (1, 37_900, [1, 0]), (2, 40_900, [1, 1])):
        job = await town.choose(job, grabs[grab])
        assert job.order.total_fen == price_fen
        assert [(await state_of(town, voucher_id))[1] for voucher_id in ids] == stocks
        assert await town.faults() == []


@pytest.mark.parametrize("gone", [False, True])
async def test_late_money_needs_a_piece_again(town: Town, gone: bool) -> None:
    """A channel's money comes when the window is over: the same price if there still is a piece, else all goes back."""
    job, tech, voucher_id = await brought_to(town, "pending_payment")
    payment_id = await town.attempt(job)
    await town.advance(minutes=3)
    assert (await town.status(job), await state_of(town, voucher_id)) == ("in_pool", ("on", 1, 0))
    if gone:
        other = await town.post(in_h=9)
        await town.choose(other, await town.grab(other, tech))
        assert await refused(town.pay(job)) == "voucher_gone"
    job = await town.receive(job, payment_id)
    assert (job.order.status, job.order.kept_fen) == (("in_pool", 0) if gone else ("paid", 38_900))
    assert await state_of(town, voucher_id) == ("used_up", 0, 1)
    assert await town.faults() == []


@pytest.mark.parametrize("change", ["off", "replaced"])
async def test_what_was_quoted_is_kept_whatever_he_does_then(town: Town, change: str) -> None:
    tech = await town.technician()
    voucher_id = await set_voucher(town, tech, stock=2)
    job, later = await town.post(in_h=3), await town.post(in_h=9)
    grab = await town.grab(job, tech)
    if change == "off":
        await town.db.run(vouchers.switch, tech.account_id, MASSAGE, on=False)
    else:
        await set_voucher(town, tech, 500)
    assert (await town.grab(later, tech)).quote["voucher_fen"] == (0 if change == "off" else 500)
    job = await town.choose(job, grab)
    assert job.order.total_fen == 38_900
    assert await state_of(town, voucher_id) == ("off", 1, 1)
    await town.advance(minutes=3)
    assert await state_of(town, voucher_id) == ("off", 2, 0)
    assert await town.faults() == []


async def test_it_is_never_more_than_his_share(town: Town) -> None:
    """60 % of 400.00 is 240.00 when he makes it; a rate that falls later cuts the quote, so that he never pays in."""
    tech = await town.technician()
    with pytest.raises(VoucherOverShare) as no:
        await set_voucher(town, tech, 24_001)
    assert no.value.fields == {"maximum": {"amount": 24_000, "currency": "CNY"}}
    await set_voucher(town, tech, 48_000, min_item_fen=80_000, stock=None)  # for two of them
    await set_voucher(town, tech, 24_000, stock=None)
    async with town.db.begin() as tx:
        await tx.execute("UPDATE region_settings SET technician_rate_bps = 1000")
    grab = await town.grab(job := await town.post(), tech)
    assert (grab.quote["voucher_fen"], grab.quote["total_fen"]) == (4_000, 36_900)
    job = await town.choose(job, grab)
    job = await town.pay(job)
    for name in WAY_TO["completed"][3:]:
        job = await town._go(job, tech, name)
    assert await town.balance(ledger.pending("worker", tech.id)) == 900
    assert await town.faults() == []


async def test_a_changed_technician_does_not_bear_what_the_first_one_promised(town: Town) -> None:
    job, first, voucher_id = await brought_to(town, "departed")
    second = await town.technician()
    await set_voucher(town, second, 3_000)
    await town.by_worker(actions.ask_terminate, job, first, "ill")
    job = await town.db.run(actions.change_technician, job.order.id, "acc_staff", second.id, "agreed")
    assert (job.order.status, job.order.total_fen) == ("accepted", 38_900)
    for name in WAY_TO["completed"][4:]:
        job = await town._go(job, second, name)
    assert await town.balance(ledger.pending("worker", second.id)) == 24_900
    assert await state_of(town, voucher_id) == ("used_up", 0, 1)
    assert await town.faults() == []


# Over HTTP

PATH = f"/v1/partner/items/{SOLD.id}/voucher"


def yuan(fen: int) -> dict[str, Any]:
    return {"amount": fen, "currency": "CNY"}


async def test_over_http_from_the_voucher_to_the_statement(client: Client, clock: ManualClock, db: Database) -> None:  # noqa: F811
    share_fen = 26_800 * 6_000 // 10_000
    over = {"amount": yuan(share_fen + 1)}
    status, _, problem = await client.as_("tom").send("PUT", PATH, json=over)
    assert (status, problem["code"], problem["maximum"]) == (422, "voucher_over_share", yuan(share_fen))
    assert (await client.as_("tom").send("GET", PATH))[0] == 404
    assert (await client.as_("ann").send("PUT", PATH, json=over))[0] == 403
    made = await ok(client, "tom", "PUT", PATH, {"amount": yuan(1_000), "min_item": yuan(20_000), "stock": 1})
    assert (made["state"], made["stock"], made["taken"], made["min_item"]) == ("on", 1, 0, yuan(20_000))
    assert (await ok(client, "tom", "PATCH", PATH, {"on": False}))["state"] == "off"
    assert (await ok(client, "tom", "PATCH", PATH, {"on": True}))["state"] == "on"
    _, _, order = await post(client, clock)
    await ok(client, "tom", "POST", "/v1/partner/online")
    await ok(client, "tom", "POST", f"/v1/partner/calls/{order['call_id']}/grab", {"req_id": "tap"})
    (grab,) = (await ok(client, "ann", "GET", f"/v1/orders/{order['id']}/grabs"))["data"]
    assert (grab["quote"]["voucher"], grab["quote"]["total"]) == (yuan(1_000), yuan(26_700))
    chosen = await ok(
        client, "ann", "POST", f"/v1/orders/{order['id']}/choose",
        {"grab_id": grab["grab_id"], "quote_hash": grab["quote"]["quote_hash"]},
    )  # fmt: skip
    assert (chosen["price"]["voucher"], chosen["price"]["payable"]) == (yuan(1_000), yuan(26_700))
    assert [line["kind"] for line in chosen["price"]["lines"]] == ["item", "travel", "discount.voucher"]
    clock.advance(seconds=1)
    await ok(client, "tom", "PUT", PATH, {"amount": yuan(500)})
    listed = await ok(client, "tom", "GET", "/v1/partner/vouchers?limit=1")
    assert ([one["amount"] for one in listed["data"]], listed["has_more"]) == ([yuan(500)], True)
    listed = await ok(client, "tom", "GET", f"/v1/partner/vouchers?cursor={listed['next_cursor']}")
    assert [(one["id"], one["state"], one["taken"]) for one in listed["data"]] == [(made["id"], "off", 1)]
