"""Breaks and refunds over HTTP and over the socket: what each side sees, who may, and what a repeated request does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rest.money import ledger
from rest.money.refunds.ready import READY, content
from storage.base.clock import ManualClock
from storage.base.codec import instant
from storage.base.errors import HubError
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.homeservice.conftest import Town
from tests.homeservice.test_http import client as client  # noqa: PLC0414 - a fixture
from tests.homeservice.test_http import decided, key, ok, paid, served
from tests.homeservice.test_verbs import Caller, ask, caller

NOTE = {"note": "talked"}
async def refusal(client: Client, who: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    status, _, answer = await client.as_(who).send("POST", path, json=body, headers=headers or key())
    return status, answer.get("code") if isinstance(answer, dict) else None


async def on_the_way(client: Client, clock: ManualClock, *, to: str = "departed") -> tuple[str, str, str]:
    """An order under way: its paths for the customer, the technician and staff."""
    order = await paid(client, clock)
    mine = f"/v1/partner/orders/{order['id']}"
    for verb in ("accept", "depart", "arrive")[: 2 if to == "departed" else 3]:
        await ok(client, "tom", "POST", f"{mine}/{verb}")
    return f"/v1/orders/{order['id']}", mine, f"/v1/admin/orders/{order['id']}"


async def test_the_customer_insists(client: Client, clock: ManualClock) -> None:
    """Item 268.00, travel 9.00."""
    path, mine, admin = await on_the_way(client, clock)
    dry = {"reason": "other", "note": "what if"}
    shown = (await ok(client, "ann", "POST", f"{path}/refunds?dry_run=true", dry, **key()))["cancel"]
    assert [shown[name]["amount"] for name in ("paid", "penalty", "travel_part", "item_part", "refund")] == [
        27_700, 14_300, 900, 13_400, 13_400,
    ]  # fmt: skip
    asked = await ok(client, "ann", "POST", f"{path}/cancel", {"reason": "ill"})
    assert (asked["status"], asked["allowed"]) == ("departed", ["cancel", "help"])
    assert await ok(client, "sue", "GET", f"{admin}/break_preview") == shown
    order_id, kind = admin.rsplit("/", 1)[1], "user_cancel_en_route"
    assert await decided(client, "sue", order_id, kind, "insists", preview_hash="0" * 32) == (409, "preview_changed")
    assert await decided(client, "tom", order_id, kind, "insists") == (403, "forbidden")
    _, seen = await decided(client, "sue", order_id, kind, "insists", dry_run=True)
    assert (seen["case"]["state"], seen["moved"]["customer_refund"]["amount"]) == ("open", 13_400)
    assert (await ok(client, "sue", "GET", admin))["status"] == "departed"
    named = {"headers": key(), "preview_hash": seen["moved"]["preview_hash"]}
    status, done = await decided(client, "sue", order_id, kind, "insists", **named)
    assert (status, done["moved"], done["case"]["outcome"]) == (200, seen["moved"], "insists")
    again = f"/v1/admin/cases/{done['case']['id']}/decide"
    repeated = {"outcome": "insists", "note": "talked", "preview_hash": seen["moved"]["preview_hash"]}
    assert await ok(client, "sue", "POST", again, repeated, **named["headers"]) == done
    ended = await ok(client, "sue", "GET", admin)
    assert (ended["status"], ended["price"]["refunded"]["amount"]) == ("closed_penalty", 13_400)
    (penalty,) = (await ok(client, "ann", "GET", f"{path}/penalties"))["data"]
    assert (penalty["amount"]["amount"], penalty["state"], penalty["cause"]) == (14_300, "settled", "cancelled")
    statement = await ok(client, "tom", "GET", f"{mine}/settlement")
    assert (statement["penalty"]["amount"], statement["item"]["amount"], statement["net"]["amount"]) == (
        14_300, 0, 900 + 8_040,
    )  # fmt: skip
    assert await refusal(client, "sue", again, repeated) == (409, "case_not_open")


async def test_support_decides_what_the_technician_said(client: Client, clock: ManualClock, db: Database) -> None:
    path, mine, admin = await on_the_way(client, clock)
    order_id, kind = admin.rsplit("/", 1)[1], "technician_terminate"
    asked = await ok(client, "tom", "POST", f"{mine}/ask_terminate", {"reason": "tired"})
    assert (asked["status"], await refusal(client, "tom", f"{mine}/ask_terminate")) == (
        "departed",
        (400, "invalid_input"),
    )
    assert await decided(client, "sue", order_id, kind, "insists") == (422, "outcome_not_allowed")
    assert (await decided(client, "sue", order_id, kind, "technician_goes_on"))[0] == 200
    await ok(client, "tom", "POST", f"{mine}/ask_terminate", {"reason": "really"})
    nobody = {"params": {"consent": True}}
    assert await decided(client, "sue", order_id, kind, "change_technician", **nobody) == (400, "invalid_input")
    await ok(client, "tim", "POST", "/v1/partner/online")
    async with db.begin() as tx:
        tim = await tx.fetchval("SELECT worker_id FROM technicians WHERE account_id = 'acc_tim'")
    unasked = {"params": {"worker_id": tim}}
    assert await decided(client, "sue", order_id, kind, "change_technician", **unasked) == (422, "consent_required")
    change = {"params": {"worker_id": tim, "consent": True}}
    _, done = await decided(client, "sue", order_id, kind, "change_technician", **change)
    assert (done["moved"]["worker_penalty"]["amount"], done["moved"]["status"]) == (13_400, "accepted")
    changed = await ok(client, "sue", "GET", admin)
    assert (changed["status"], changed["worker"]["display_name"]) == ("accepted", "Tim")
    assert (await client.as_("tom").send("GET", mine))[0] == 404
    await ok(client, "tim", "POST", f"{mine}/depart")
    clock.advance(seconds=1)  # lists are by age
    await ok(client, "tim", "POST", f"{mine}/ask_terminate", {"reason": "me too"})
    assert (await decided(client, "sue", order_id, kind, "end_with_refund"))[0] == 200
    ended = await ok(client, "sue", "GET", admin)
    assert (ended["status"], ended["price"]["refunded"]["amount"]) == ("terminated", 27_700)
    for who in ("tom", "tim"):
        assert (await ok(client, who, "GET", "/v1/partner/wallet"))["balance"]["amount"] == -13_400
    listed = (await ok(client, "fay", "GET", "/v1/admin/penalties?cause=would_not_go_on"))["data"]
    assert [one["penalty"]["payer"] for one in listed] == ["worker", "worker"]
    assert (await ok(client, "ann", "GET", f"{path}/penalties"))["data"] == []  # theirs are not his affair
    (his,) = [one["penalty"]["id"] for one in listed if one["payer_id"] == tim]
    reversal, why = f"/v1/admin/penalties/{his}/reversal", {"reason": "was ill"}
    assert await refusal(client, "fay", reversal) == (400, "invalid_input")
    assert await refusal(client, "sam", reversal, why) == (403, "forbidden")
    back = await ok(client, "sue", "POST", reversal, why, **key())
    assert (back["reversed_by"], back["reversed_reason"]) == ("staff:acc_sue", "was ill")
    assert await refusal(client, "sue", reversal, why) == (409, "already_reversed")
    assert (await ok(client, "tim", "GET", "/v1/partner/wallet"))["balance"]["amount"] == 0


async def test_nobody_opens(client: Client, clock: ManualClock) -> None:
    path, mine, admin = await on_the_way(client, clock, to="arrived")
    assert "leave" not in (await ok(client, "tom", "GET", mine))["allowed"]
    waiting = await ok(client, "tom", "POST", f"{mine}/miss_customer")
    assert {"leave", "find_customer"} <= set(waiting["allowed"])
    assert waiting["deadlines"] == [{"name": "wait", "due_at": instant(clock.now() + timedelta(minutes=10))}]
    clock.advance(minutes=9)
    status, _, answer = await client.as_("tom").send("POST", f"{mine}/leave")
    assert (status, answer["code"], answer["seconds_left"]) == (422, "wait_not_over", 60)
    here = await ok(client, "ann", "POST", f"{path}/find_customer")
    assert (here["status"], here["deadlines"]) == ("arrived", [])
    assert await refusal(client, "tom", f"{mine}/find_customer") == (409, "not_waiting")
    await ok(client, "tom", "POST", f"{mine}/miss_customer")
    order_id = admin.rsplit("/", 1)[1]
    assert await decided(client, "sue", order_id, "user_unreachable", "ended_without_penalty") == (
        422, "outcome_not_allowed",
    )  # fmt: skip
    clock.advance(minutes=10, seconds=1)
    left = await ok(client, "tom", "POST", f"{mine}/leave")
    assert (left["status"], left["price"]["refunded"]["amount"]) == ("closed_penalty", 13_400)


async def test_a_supervisor_ends_it_and_support_finds_the_customer(client: Client, clock: ManualClock) -> None:
    _, mine, admin = await on_the_way(client, clock, to="arrived")
    await ok(client, "tom", "POST", f"{mine}/miss_customer")
    order_id = admin.rsplit("/", 1)[1]
    assert (await decided(client, "sue", order_id, "user_unreachable", "customer_found"))[0] == 200
    await ok(client, "sue", "POST", f"{admin}/phone_cancel", NOTE)
    assert (await decided(client, "sue", order_id, "user_cancel_on_site", "goes_on"))[0] == 200
    await ok(client, "tom", "POST", f"{mine}/miss_customer")
    _, done = await decided(client, "sam", order_id, "user_unreachable", "ended_without_penalty")
    assert (done["moved"]["status"], done["moved"]["customer_refund"]["amount"]) == ("terminated", 27_700)


# Refunds


async def test_a_refund_from_the_wish_to_the_money(client: Client, clock: ManualClock) -> None:
    order = await served(client, clock)
    path, body = f"/v1/orders/{order['id']}/refunds", {"reason": "quality", "note": "half of it was cold"}
    wanted = {**body, "amount": {"amount": 5_000, "currency": "CNY"}}
    once = key()
    seen = await ok(client, "ann", "POST", f"{path}?dry_run=true", wanted, **once)
    assert (seen["preview"]["amount"]["amount"], seen["preview"]["refundable"]["amount"]) == (5_000, 27_700)
    assert await refusal(client, "ann", path, wanted, **once) == (422, "key_reused")  # a dry run is another request
    named = {**wanted, "preview_hash": seen["preview"]["preview_hash"]}
    once = key()
    asked = [await ok(client, "ann", "POST", path, named, **once) for _ in range(2)]
    assert asked[0] == asked[1]
    assert await refusal(client, "ann", path, named) == (409, "preview_changed")
    refund_id = asked[0]["refund"]["id"]
    mine, admin = f"/v1/refunds/{refund_id}", f"/v1/admin/refunds/{refund_id}"
    for who, where in (("ben", mine), ("tim", f"/v1/partner/refunds/{refund_id}")):
        assert (await client.as_(who).send("GET", where))[0] == 404
    assert (await ok(client, "tom", "GET", f"/v1/partner/refunds/{refund_id}"))["state"] == "requested"
    assert await refusal(client, "sue", f"{admin}/approve", NOTE) == (403, "forbidden")
    given = await ok(client, "fay", "POST", f"{admin}/approve", NOTE, **key())
    assert (given["state"], given["progress"], given["asked_by"]) == ("executed", "succeeded", "customer:acc_ann")
    assert [(step["verb"], step["actor"]) for step in given["events"]] == [
        ("ask", "customer:acc_ann"), ("execute", "staff:acc_fay"),
    ]  # fmt: skip
    assert given["legs"] == [{"method": "wallet", "amount": {"amount": 5_000, "currency": "CNY"}, "state": "done"}]
    assert await refusal(client, "fox", f"{admin}/reject", {"reason": "no"}) == (409, "refund_state")
    assert (await ok(client, "ann", "GET", mine))["approved"]["amount"] == 5_000
    (listed,) = (await ok(client, "ann", "GET", path))["data"]
    assert listed["id"] == refund_id
    assert [one["id"] for one in (await ok(client, "sue", "GET", "/v1/admin/refunds?state=executed"))["data"]] == [
        refund_id
    ]
    for query in ("manual=true", "state=requested", "line=rv"):
        assert (await ok(client, "sue", "GET", f"/v1/admin/refunds?{query}"))["data"] == []
    assert (await client.as_("ann").send("GET", "/v1/admin/refunds"))[0] == 403


async def test_support_asks_and_finance_publishes_who_must_agree(client: Client, clock: ManualClock) -> None:
    order = await served(client, clock)
    path = f"/v1/admin/orders/{order['id']}/refunds"
    body = {"reason": "goodwill", "note": "loyal", "amount": {"amount": 100, "currency": "CNY"}}
    asked = await ok(client, "sue", "POST", path, body, **key())
    assert (asked["state"], asked["asked_by"], asked["second_over"]["amount"]) == ("requested", "staff:acc_sue", 50_000)
    low = {**content(READY["homeservice"]), "version": 2, "second_over_fen": 200}
    publish = {"policy": low, "note": "two pairs of eyes"}
    assert await refusal(client, "sue", "/v1/admin/refund_policies", publish) == (403, "forbidden")
    await ok(client, "fay", "POST", "/v1/admin/refund_policies", publish, **key())
    assert await refusal(client, "fay", "/v1/admin/refund_policies", publish) == (409, "policy_version_taken")
    bad = {**low, "version": 3, "tiers": [{"stage": "x"}]}
    assert await refusal(client, "fay", "/v1/admin/refund_policies", {"policy": bad, "note": "x"}) == (
        422, "policy_invalid",
    )  # fmt: skip
    names = [
        (one["name"], one["version"]) for one in (await ok(client, "sue", "GET", "/v1/admin/refund_policies"))["data"]
    ]
    assert names == [
        ("campsite", 1),
        ("homeservice", 2),
        ("homeservice", 1),
        ("rental", 1),
        ("special_offer", 1),
        ("tour", 1),
    ]
    pages, where = [], "/v1/admin/refund_policies?limit=2"
    while where:
        page = await ok(client, "sue", "GET", where)
        pages += [(one["name"], one["version"]) for one in page["data"]]
        where = f"/v1/admin/refund_policies?limit=2&cursor={page['next_cursor']}" if page["has_more"] else ""
    assert pages == names


async def test_statistics_of_refunds(client: Client, clock: ManualClock) -> None:
    order = await served(client, clock)
    path = f"/v1/admin/orders/{order['id']}/refunds"
    for reason, fen in (("late", 100), ("quality", 200), ("late", 300)):
        body = {"reason": reason, "note": "x", "amount": {"amount": fen, "currency": "CNY"}}
        await ok(client, "fay", "POST", path, body, **key())
    since, until = "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"
    where = f"/v1/admin/refunds/statistics?since={since}&until={until}"
    by_reason = await ok(client, "fay", "GET", f"{where}&by=reason")
    assert [(row["key"], row["count"], row["amount"]["amount"]) for row in by_reason["data"]] == [
        ("late", 2, 400), ("quality", 1, 200),
    ]  # fmt: skip
    assert (by_reason["count"], by_reason["amount"]["amount"]) == (3, 600)
    assert [row["key"] for row in (await ok(client, "fay", "GET", where))["data"]] == ["2026-01-05"]
    assert [row["key"] for row in (await ok(client, "fay", "GET", f"{where}&by=line"))["data"]] == ["homeservice"]
    assert (await client.as_("sue").send("GET", where))[0] == 403
    for span in (f"since={since}&until={since}", f"since={since}&until=2027-01-07T00:00:00Z"):
        assert (await client.as_("fay").send("GET", f"/v1/admin/refunds/statistics?{span}"))[0] == 400


async def test_a_customer_withdraws_and_a_provider_reviews(client: Client, clock: ManualClock) -> None:
    asked_first = {**content(READY["homeservice"]), "version": 2, "provider_review": True}
    await ok(client, "fay", "POST", "/v1/admin/refund_policies", {"policy": asked_first, "note": "fair"}, **key())
    order = await served(client, clock)
    path, body = (
        f"/v1/orders/{order['id']}/refunds",
        {"reason": "late", "note": "x", "amount": {"amount": 9, "currency": "CNY"}},
    )
    one, two = [(await ok(client, "ann", "POST", path, body, **key()))["refund"] for _ in range(2)]
    assert one["state"] == "review"
    opinion = {"agrees": True, "comment": "I was late"}
    assert await refusal(client, "tim", f"/v1/partner/refunds/{one['id']}/review", opinion) == (404, "not_found")
    said = await ok(client, "tom", "POST", f"/v1/partner/refunds/{one['id']}/review", opinion)
    assert (said["state"], said["opinion"]) == ("requested", "agrees")
    assert await refusal(client, "ben", f"/v1/refunds/{two['id']}/withdraw") == (404, "not_found")
    assert (await ok(client, "ann", "POST", f"/v1/refunds/{two['id']}/withdraw"))["state"] == "withdrawn"
    rejected = await ok(client, "fox", "POST", f"/v1/admin/refunds/{one['id']}/reject", {"reason": "no"})
    assert (rejected["state"], rejected["events"][-1]["detail"]) == ("rejected", "no")


# Sockets


async def test_a_closed_door_by_socket(town: Town) -> None:
    job, tech = await town.in_status("arrived")
    me, order_id = caller(tech), job.order.id
    waiting = await ask(town, me, "worker.miss_customer", order_id=order_id, req_id="tap")
    assert await ask(town, me, "worker.miss_customer", order_id=order_id, req_id="tap") == waiting
    await town.advance(minutes=2)
    assert (await ask(town, me, "worker.find_customer", order_id=order_id))["status"] == "arrived"
    await ask(town, me, "worker.miss_customer", order_id=order_id)
    with pytest.raises(HubError) as early:
        await ask(town, me, "worker.leave", order_id=order_id)
    assert early.value.as_dict()["seconds_left"] == 600
    await town.advance(seconds=601)
    assert (await ask(town, me, "worker.leave", order_id=order_id, req_id="bye"))["status"] == "closed_penalty"
    assert await town.balance(ledger.pending("worker", tech.id)) == 12_900
    assert await town.faults() == []


async def test_a_technician_who_wants_out_by_socket(town: Town) -> None:
    job, tech = await town.in_status("departed")
    with pytest.raises(HubError) as silent:
        await ask(town, caller(tech), "worker.ask_terminate", order_id=job.order.id, reason="")
    assert silent.value.code == "invalid_input"
    with pytest.raises(HubError) as stranger:
        await ask(town, Caller("acc_x", "wrk_x"), "worker.ask_terminate", order_id=job.order.id, reason="tired")
    assert stranger.value.code == "not_found"
    said = await ask(town, caller(tech), "worker.ask_terminate", order_id=job.order.id, reason="tired")
    assert (said["status"], await town.open_cases(job)) == ("departed", {"technician_terminate": "queue"})
