"""The line over HTTP: one order's day, what each side sees, and that other people's things are not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession, web

import dispatch
from geo.areas.live import LiveAreas
from rest.desk.cases.own_routes import ROUTES as OWN_CASES
from rest.desk.cases.routes import case_routes
from rest.desk.conversations.routes import ROUTES as TALK
from rest.edge import MACHINE, Machine, ProblemRunner
from rest.edge.serve import around, mount
from rest.lines.homeservice import demo, technicians
from rest.lines.homeservice.case_side import CASES
from rest.lines.homeservice.regions import AREAS
from rest.lines.homeservice.routes import REFUNDED, ROUTES
from rest.marketing import coupons
from rest.money import wallet
from rest.money.penalties.routes import ROUTES as PENALTIES
from rest.money.refunds.routes import staff_routes
from storage.base.clock import ManualClock
from storage.base.codec import instant
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.money.serving import KnownPeople

ITEM = demo.ITEMS[1]
AT = {"lon": demo.CENTRE.lon, "lat": demo.CENTRE.lat}
ADDRESS = {"contact": "Wang", "phone": "13800001234", "detail": "Building 3, room 1204", **AT}
PEOPLE = {"ann": [], "ben": [], "tom": ["technician"], "tim": ["technician"], "sue": ["support"], "fay": ["finance"],
          "fox": ["finance"], "sam": ["supervisor"]}  # fmt: skip


@pytest.fixture
async def client(db: Database, settings: Settings) -> AsyncIterator[Client]:
    await db.run(demo.seed)
    async with db.begin() as tx:
        for name in ("ann", "ben"):
            await wallet.credit(tx, f"acc_{name}", 100_000, f"gift:{name}", "test")
        for name in ("tom", "tim"):
            mine = await technicians.add_technician(
                tx, f"acc_{name}", real_name=name, display_name=name.title(), city="Demo city", area_code="990100"
            )
            await dispatch.save_positions(tx, [(mine.worker.id, AT["lon"], AT["lat"], 5.0, None, None, tx.now)])
    app = web.Application(middlewares=[around], client_max_size=settings.request_bytes_max)
    app[MACHINE] = Machine(db, settings, KnownPeople(db, PEOPLE))
    app[AREAS] = LiveAreas(db)
    of_staff = [*PENALTIES, *staff_routes(REFUNDED), *case_routes({"homeservice": CASES})]
    mount(app, [*ROUTES, *of_staff, *OWN_CASES, *TALK])
    runner = ProblemRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with ClientSession() as session:
            yield Client(f"http://127.0.0.1:{runner.addresses[0][1]}", session, None)
    finally:
        await runner.cleanup()


def order_body(clock: ManualClock, **changes: Any) -> dict[str, Any]:
    start_at = instant(clock.now() + timedelta(hours=3))
    body = {"line": "homeservice", "mode": "grab", "item_id": ITEM.id, "start_at": start_at, "address": ADDRESS}
    return body | changes


async def post(
    client: Client, clock: ManualClock, *, who: str = "ann", key: str = "key-post-00000001", **changes: Any
) -> Any:
    body = order_body(clock, **changes)
    return await client.as_(who).send("POST", "/v1/orders", json=body, headers={"Idempotency-Key": key})


async def ok(client: Client, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
    status, _, answer = await client.as_(who).send(method, path, json=body, headers=headers)
    assert status < 300, answer
    return answer


keys = iter(range(10**6))


def key() -> dict[str, str]:
    return {"Idempotency-Key": f"key-of-this-test-{next(keys):06}"}


async def case_of(client: Client, order_id: str, kind: str) -> str:
    """The order's open case of this type."""
    path = f"/v1/admin/cases?subject_id={order_id}&type={kind}&state=open,taken"
    (case,) = (await ok(client, "sue", "GET", path))["data"]
    return str(case["id"])


async def decided(
    client: Client, who: str, order_id: str, kind: str, outcome: str, *, dry_run: bool = False,
    headers: dict[str, str] | None = None, note: str = "talked", **more: Any,
) -> Any:  # fmt: skip
    """What deciding the order's open case of this type answers: status, and the answer."""
    path = f"/v1/admin/cases/{await case_of(client, order_id, kind)}/decide{'?dry_run=true' if dry_run else ''}"
    body = {"outcome": outcome, "note": note, **more}
    status, _, answer = await client.as_(who).send("POST", path, json=body, headers=headers or key())
    return status, answer if status == 200 else answer["code"]


async def grabbed(client: Client, clock: ManualClock, *, by: str = "tom") -> tuple[Any, str]:
    """An order with one candidate; the order and the grab's id."""
    order = (await post(client, clock))[2]
    await ok(client, by, "POST", "/v1/partner/online")
    grab = await ok(client, by, "POST", f"/v1/partner/calls/{order['call_id']}/grab", {})
    return order, grab["grab_id"]


async def paid(client: Client, clock: ManualClock) -> Any:
    order, grab_id = await grabbed(client, clock)
    await ok(client, "ann", "POST", f"/v1/orders/{order['id']}/choose", {"grab_id": grab_id})
    return await ok(
        client,
        "ann",
        "POST",
        f"/v1/orders/{order['id']}/pay",
        {"method": "wallet"},
        **{"Idempotency-Key": "key-pay-000000001"},
    )


async def test_one_orders_day(client: Client, clock: ManualClock, db: Database) -> None:
    status, headers, order = await post(client, clock)
    assert (status, order["status"], headers["ETag"]) == (201, "in_pool", '"v1"')
    assert headers["Location"] == f"/v1/orders/{order['id']}"
    assert order["price"] == {
        "item": {"amount": 26_800, "currency": "CNY"},
        "travel_fee": None,
        "member": {"amount": 0, "currency": "CNY"},
        "coupon": {"amount": 0, "currency": "CNY"},
        "voucher": {"amount": 0, "currency": "CNY"},
        "payable": None,
        "paid": {"amount": 0, "currency": "CNY"},
        "refunded": {"amount": 0, "currency": "CNY"},
        "coupon_id": None,
        "lines": [],
        "quote_hash": None,
    }
    assert [deadline["name"] for deadline in order["deadlines"]] == ["no_grab", "pool_close"]
    assert order["allowed"] == ["cancel", "reschedule"]
    path = f"/v1/orders/{order['id']}"

    await ok(client, "tom", "POST", "/v1/partner/online")
    pool = await ok(client, "tom", "GET", "/v1/partner/pool")
    assert [(one["call_id"], one["distance_m"], one["grab_state"]) for one in pool["data"]] == [
        (order["call_id"], 0, None)
    ]
    await ok(client, "tom", "POST", f"/v1/partner/calls/{order['call_id']}/grab", {"req_id": "tap"})
    listed = await ok(client, "ann", "GET", f"{path}/grabs")
    (grab,) = listed["data"]
    assert (grab["worker"]["display_name"], grab["quote"]["total"]["amount"]) == ("Tom", 27_700)

    chosen = await ok(client, "ann", "POST", f"{path}/choose", {"grab_id": grab["grab_id"]})
    assert (chosen["status"], chosen["price"]["payable"]["amount"]) == ("pending_payment", 27_700)
    done = await ok(
        client, "ann", "POST", f"{path}/pay", {"method": "wallet"}, **{"Idempotency-Key": "key-pay-000000001"}
    )
    assert (done["status"], done["price"]["paid"]["amount"], done["worker"]["display_name"]) == ("paid", 27_700, "Tom")

    mine = f"/v1/partner/orders/{order['id']}"
    for verb in ("accept", "depart", "arrive"):
        await ok(client, "tom", "POST", f"{mine}/{verb}")
    code = await ok(client, "ann", "POST", f"{path}/service_code")
    started = await ok(client, "tom", "POST", f"{mine}/start", {"code": code["code"]})
    assert started["ends_at"] == instant(clock.now() + timedelta(minutes=60))
    for verb in ("end", "confirm_left"):
        await ok(client, "ann", "POST", f"{path}/{verb}")
    left = await ok(client, "tom", "POST", f"{mine}/leave")
    assert left["status"] == "completed"

    events = await ok(client, "ann", "GET", f"{path}/events?limit=5")
    assert [(event["n"], event["who"], event["verb"]) for event in events["data"][:3]] == [
        (1, "customer", "post"), (2, "worker", "grab"), (3, "customer", "choose"),
    ]  # fmt: skip
    rest = await ok(client, "ann", "GET", f"{path}/events?cursor={events['next_cursor']}")
    assert [event["n"] for event in rest["data"]] == list(range(6, 12))


async def test_paying_names_a_method_or_tenders(client: Client, clock: ManualClock) -> None:
    order = (await post(client, clock))[2]
    for n, body in enumerate(({}, {"method": "wallet", "tenders": [{"method": "wallet"}]})):
        key = {"Idempotency-Key": f"key-how-0000000{n}"}
        answer = await client.as_("ann").send("POST", f"/v1/orders/{order['id']}/pay", json=body, headers=key)
        assert (answer[0], answer[2]["code"]) == (400, "method_missing")


async def served(client: Client, clock: ManualClock, order: Any = None) -> Any:
    """A completed order."""
    order = order or await paid(client, clock)
    path, mine = f"/v1/orders/{order['id']}", f"/v1/partner/orders/{order['id']}"
    for verb in ("accept", "depart", "arrive"):
        await ok(client, "tom", "POST", f"{mine}/{verb}")
    code = await ok(client, "ann", "POST", f"{path}/service_code")
    await ok(client, "tom", "POST", f"{mine}/start", {"code": code["code"]})
    for verb in ("end", "confirm_left"):
        await ok(client, "ann", "POST", f"{path}/{verb}")
    return await ok(client, "tom", "POST", f"{mine}/leave")


async def test_finance_gives_a_completed_order_back(client: Client, clock: ManualClock) -> None:
    order = await paid(client, clock)
    refunds = f"/v1/admin/orders/{order['id']}/refunds"
    body = {"amount": {"amount": 700, "currency": "CNY"}, "reason": "late", "note": "came late"}
    early = await client.as_("fay").send("POST", refunds, json=body, headers={"Idempotency-Key": "refund-key-00000"})
    assert (early[0], early[2]["code"]) == (409, "invalid_state")
    done = await served(client, clock, order)
    refunds, key = f"/v1/admin/orders/{done['id']}/refunds", {"Idempotency-Key": "refund-key-00001"}
    for _ in range(2):
        given = await ok(client, "fay", "POST", refunds, body, **key)
        assert (given["state"], given["approved"]["amount"], given["approved_by"]) == ("executed", 700, "acc_fay")
        after = await ok(client, "ann", "GET", f"/v1/orders/{done['id']}")
        assert (after["status"], after["price"]["refunded"]["amount"]) == ("completed", 700)
    assert (await client.as_("ann").send("POST", refunds, json=body, headers=key))[0] == 403
    too_much = {"amount": {"amount": 27_001, "currency": "CNY"}, "reason": "late", "note": "x"}
    answer = await client.as_("fay").send(
        "POST", refunds, json=too_much, headers={"Idempotency-Key": "refund-key-00002"}
    )
    assert (answer[0], answer[2]["code"]) == (422, "refund_exceeds_paid")


async def test_posting_again_with_the_same_key_is_the_same_order(
    client: Client, clock: ManualClock, db: Database
) -> None:
    first, again = await post(client, clock), await post(client, clock)
    assert (first[0], first[2]) == (again[0], again[2])
    async with db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM orders") == 1
    other = await post(client, clock, item_id=demo.ITEMS[0].id)
    assert (other[0], other[2]["code"]) == (422, "key_reused")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"item_id": "itm_unknown"}, 404, "not_found"),
        ({"start_at": "2026-01-05T01:59:59Z"}, 422, "time_past"),
        ({"start_at": "2027-01-05T01:59:59Z"}, 422, "time_too_far"),
        ({"address": {**ADDRESS, "lon": 10.0}}, 422, "region_not_served"),
        ({"address": {**ADDRESS, "lon": 200.0}}, 400, "invalid_input"),
        ({"address": {**ADDRESS, "phone": "call me"}}, 400, "invalid_input"),
        ({"qty": 0}, 400, "invalid_input"),
        ({"mode": "choose"}, 400, "invalid_input"),
        ({"surprise": 1}, 400, "invalid_input"),
    ],
)
async def test_orders_that_cannot_be(
    client: Client, clock: ManualClock, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = await post(client, clock, **changes)
    assert (answer[0], answer[2]["code"]) == (status, code)


async def test_items_by_place_by_code_and_by_prefixed_code(client: Client) -> None:
    answers = [
        await client.send("GET", f"/v1/items?{query}")
        for query in ("lon=104.05&lat=30.65", "region_code=990102", "region_code=156990102")
    ]
    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert len({str(body) for _, _, body in answers}) == 1
    assert [item["price"]["amount"] for item in answers[0][2]["data"]] == [12_000, 16_800, 19_800, 26_800]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("region_code=12", 400, "region_code"),
        ("region_code=157990102", 400, "region_code"),
        ("region_code=370602", 422, "region_not_served"),
        ("lon=0&lat=0", 422, "region_not_served"),
        ("", 400, "place_missing"),
        ("lon=104.05", 400, "place_missing"),
        ("lon=104.05&lat=91", 400, "invalid_input"),
        ("somewhere=1", 400, "unknown_parameter"),
    ],
)
async def test_places_that_cannot_be(client: Client, query: str, status: int, code: str) -> None:
    answer = await client.send("GET", f"/v1/items?{query}")
    assert (answer[0], answer[2]["code"]) == (status, code)


async def test_a_gcj02_address_is_stored_as_wgs84(client: Client, clock: ManualClock) -> None:
    order = (await post(client, clock, address={**ADDRESS, "crs": "gcj02"}))[2]
    assert 0.001 < abs(order["address"]["lon"] - AT["lon"]) < 0.01


async def test_no_exact_address_and_no_phone_before_acceptance(client: Client, clock: ManualClock) -> None:
    order = await paid(client, clock)
    mine = f"/v1/partner/orders/{order['id']}"
    before = await ok(client, "tom", "GET", mine)
    assert before["address"] == {
        "exact": False, "lon": 104.05, "lat": 30.66, "contact": None, "phone": None, "detail": None,
    }  # fmt: skip
    pool = str(await ok(client, "tim", "GET", "/v1/partner/pool"))
    assert "Building" not in pool
    assert "1380000" not in pool
    after = await ok(client, "tom", "POST", f"{mine}/accept")
    assert (after["address"]["detail"], after["address"]["phone"]) == ("Building 3, room 1204", "138****34")
    assert (after["address"]["exact"], after["address"]["contact"]) == (True, "Wang")
    for verb in ("depart", "arrive"):
        assert (await ok(client, "tom", "POST", f"{mine}/{verb}"))["address"]["exact"]


async def test_after_the_visit_the_address_is_rough_again(client: Client, clock: ManualClock) -> None:
    order = await paid(client, clock)
    mine, path = f"/v1/partner/orders/{order['id']}", f"/v1/orders/{order['id']}"
    for verb in ("accept", "depart", "arrive"):
        await ok(client, "tom", "POST", f"{mine}/{verb}")
    code = await ok(client, "ann", "POST", f"{path}/service_code")
    await ok(client, "tom", "POST", f"{mine}/start", {"code": code["code"]})
    await ok(client, "ann", "POST", f"{path}/end")
    await ok(client, "ann", "POST", f"{path}/confirm_left")
    assert not (await ok(client, "tom", "POST", f"{mine}/leave"))["address"]["exact"]


OTHERS = [
    ("GET", "", None),
    ("GET", "/events", None),
    ("GET", "/grabs", None),
    ("POST", "/choose", {"grab_id": "grb_00000000000000000000000000"}),
    ("POST", "/pay", {"method": "wallet"}),
    ("POST", "/cancel", {"reason": "mine?"}),
    ("POST", "/reschedule", {"start_at": "2026-01-06T02:00:00Z"}),
    ("POST", "/service_code", None),
    ("POST", "/end", None),
    ("POST", "/confirm_left", None),
    ("POST", "/help", None),
    ("POST", "/find_customer", None),
    ("POST", "/refunds?dry_run=true", {"reason": "late", "note": "x"}),
    ("POST", "/refunds", {"reason": "late", "note": "x"}),
    ("GET", "/refunds", None),
    ("GET", "/penalties", None),
    ("POST", "/share", None),
    ("DELETE", "/share", None),
]


@pytest.mark.parametrize(("method", "tail", "body"), OTHERS)
async def test_other_peoples_orders_are_not_there(
    client: Client, clock: ManualClock, method: str, tail: str, body: Any
) -> None:
    order = await paid(client, clock)
    for order_id in (order["id"], "ord_00000000000000000000000000"):
        headers = {"Idempotency-Key": f"key-{order_id}"}
        status, _, problem = await client.as_("ben").send(
            method, f"/v1/orders/{order_id}{tail}", json=body, headers=headers
        )
        assert (status, problem["code"]) == (404, "not_found")


@pytest.mark.parametrize("verb", ["accept", "reject", "depart", "arrive", "start", "leave", "help", ""])
async def test_other_technicians_orders_are_not_there(client: Client, clock: ManualClock, verb: str) -> None:
    order = await paid(client, clock)
    body = {"reject": {"reason": "x"}, "start": {"code": "123456"}}.get(verb)
    method = "POST" if verb else "GET"
    tail = f"/{verb}" if verb else ""
    status, _, problem = await client.as_("tim").send(method, f"/v1/partner/orders/{order['id']}{tail}", json=body)
    assert (status, problem["code"]) == (404, "not_found")


async def test_customers_are_no_technicians_and_technicians_no_staff(client: Client, clock: ManualClock) -> None:
    order = await paid(client, clock)
    for who, path in (("ann", "/v1/partner/me"), ("tom", f"/v1/admin/orders/{order['id']}")):
        status, _, problem = await client.as_(who).send("GET", path)
        assert (status, problem["code"]) == (403, "forbidden")


async def test_support_reads_and_decides_and_its_note_stays_inside(client: Client, clock: ManualClock) -> None:
    order = await paid(client, clock)
    path, admin = f"/v1/orders/{order['id']}", f"/v1/admin/orders/{order['id']}"
    await ok(client, "ann", "POST", f"{path}/cancel", {"reason": "ill"})
    seen = await ok(client, "sue", "GET", admin)
    assert (seen["status"], seen["allowed"]) == ("cancel_requested", [])
    assert seen["address"]["phone"] == "138****34"
    for stranger in ("fay", "ann", "tom"):
        assert await decided(client, stranger, order["id"], "cancel_confirm", "not_saved") == (403, "forbidden")
    status, done = await decided(
        client, "sue", order["id"], "cancel_confirm", "not_saved", note="a difficult person"
    )
    assert (status, done["moved"]["status"], done["moved"]["customer_refund"]["amount"]) == (200, "cancelled", 27_700)
    ended = await ok(client, "sue", "GET", admin)
    assert (ended["status"], ended["price"]["refunded"]["amount"]) == ("cancelled", 27_700)
    (own,) = (await ok(client, "ann", "GET", "/v1/cases"))["data"]
    assert (own["type"], own["outcome"], "note" in own) == ("cancel_confirm", "not_saved", False)
    assert "difficult" not in str(await ok(client, "ann", "GET", f"{path}/events"))
    timeline = (await ok(client, "sue", "GET", f"{admin}/events"))["data"]
    assert (timeline[-1]["note"], timeline[-1]["who"]) == ("a difficult person", "staff:acc_sue")


async def test_a_rejection_goes_to_support(client: Client, clock: ManualClock) -> None:
    order = await paid(client, clock)
    status, _, problem = await client.as_("tom").send("POST", f"/v1/partner/orders/{order['id']}/reject", json={})
    assert (status, problem["code"]) == (400, "invalid_input")  # a reason is needed (HS-061)
    await ok(client, "tom", "POST", f"/v1/partner/orders/{order['id']}/reject", {"reason": "flat tyre"})
    _, agreed = await decided(client, "sue", order["id"], "rejected", "technician_accepts", note="has a spare")
    assert agreed["moved"]["status"] == "accepted"


async def test_a_known_version_is_not_sent_again(client: Client, clock: ManualClock) -> None:
    order = (await post(client, clock))[2]
    path = f"/v1/orders/{order['id']}"
    status, headers, _ = await client.as_("ann").send("GET", path, headers={"If-None-Match": '"v1"'})
    assert (status, headers["ETag"]) == (304, '"v1"')


async def test_my_orders_page_by_page_newest_first(client: Client, clock: ManualClock) -> None:
    posted = []
    for n in range(5):
        posted.append((await post(client, clock, key=f"key-post-0000001{n}"))[2]["id"])
        clock.advance(seconds=1)
    await post(client, clock, who="ben")
    first = await ok(client, "ann", "GET", "/v1/orders?limit=3")
    rest = await ok(client, "ann", "GET", f"/v1/orders?limit=3&cursor={first['next_cursor']}")
    assert [order["id"] for order in first["data"] + rest["data"]] == posted[::-1]
    assert (first["has_more"], rest["has_more"]) == (True, False)


async def test_a_technicians_settings_hold_at_once(client: Client, clock: ManualClock) -> None:
    order = (await post(client, clock))[2]
    await ok(client, "tom", "POST", "/v1/partner/online")
    for body, shown in (
        ({"takes_pool": False}, 0), ({"takes_pool": True}, 1), ({"work_from_min": 0, "work_to_min": 60}, 0),
        ({"work_from_min": 0, "work_to_min": 1440}, 1), ({"rest_dates": ["2026-01-05"]}, 0), ({"rest_dates": []}, 1),
    ):  # fmt: skip
        await ok(client, "tom", "PATCH", "/v1/partner/settings", body)
        assert len((await ok(client, "tom", "GET", "/v1/partner/pool"))["data"]) == shown, body
    mine = await ok(client, "tom", "GET", f"/v1/partner/items/{ITEM.id}")
    assert mine["enabled"]
    await ok(client, "tom", "PUT", f"/v1/partner/items/{ITEM.id}", {"enabled": False})
    assert (await ok(client, "tom", "GET", "/v1/partner/pool"))["data"] == []
    status, _, problem = await client.as_("tom").send("POST", f"/v1/partner/calls/{order['call_id']}/grab", json={})
    assert (status, problem["code"], problem["reason"]) == (422, "not_eligible", "service")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"radius_m": 999}, 422, "radius_range"),
        ({"radius_m": 100_001}, 422, "radius_range"),
        ({"work_from_min": 540, "work_to_min": 540}, 400, "hours_invalid"),
        ({"work_from_min": -1}, 400, "invalid_input"),
    ],
)
async def test_settings_that_cannot_be(client: Client, body: dict[str, Any], status: int, code: str) -> None:
    answer = await client.as_("tom").send("PATCH", "/v1/partner/settings", json=body)
    assert (answer[0], answer[2]["code"]) == (status, code)


async def test_me_items_and_going_off(client: Client) -> None:
    me = await ok(client, "tom", "GET", "/v1/partner/me")
    assert (me["online"], me["radius_m"], me["work_from_min"], len(me["items"])) == (False, 20_000, 540, 4)
    assert (await ok(client, "tom", "POST", "/v1/partner/online"))["online"]
    assert not (await ok(client, "tom", "POST", "/v1/partner/offline"))["online"]
    assert len((await ok(client, "tom", "GET", "/v1/partner/items"))["data"]) == 4
    status, _, problem = await client.as_("tom").send("GET", "/v1/partner/items/itm_none")
    assert (status, problem["code"]) == (404, "not_found")


async def test_withdraw_and_decline_over_http(client: Client, clock: ManualClock) -> None:
    order, _ = await grabbed(client, clock)
    call = f"/v1/partner/calls/{order['call_id']}"
    await ok(client, "tom", "POST", f"{call}/withdraw")
    assert (await ok(client, "ann", "GET", f"/v1/orders/{order['id']}"))["status"] == "in_pool"
    status, _, problem = await client.as_("tim").send("POST", f"{call}/decline")
    assert (status, problem["code"]) == (409, "offer_closed")


async def test_a_share_link_over_http(client: Client, clock: ManualClock) -> None:
    order = await paid(client, clock)
    link = await ok(client, "ann", "POST", f"/v1/orders/{order['id']}/share")
    assert link["url"] == f"/track#{link['token']}"
    status, _, _ = await client.as_("ann").send("DELETE", f"/v1/orders/{order['id']}/share")
    assert status == 204


async def test_a_wrong_code_over_http_costs_a_try(client: Client, clock: ManualClock, db: Database) -> None:
    order = await paid(client, clock)
    mine = f"/v1/partner/orders/{order['id']}"
    for verb in ("accept", "depart", "arrive"):
        await ok(client, "tom", "POST", f"{mine}/{verb}")
    code = (await ok(client, "ann", "POST", f"/v1/orders/{order['id']}/service_code"))["code"]
    wrong = "000000" if code != "000000" else "111111"
    status, _, problem = await client.as_("tom").send("POST", f"{mine}/start", json={"code": wrong})
    assert (status, problem["code"]) == (422, "code_invalid")
    async with db.begin() as tx:
        assert await tx.fetchval("SELECT tries FROM service_codes") == 1


async def coupon_of(db: Database, account_id: str, **terms: Any) -> str:
    given = coupons.Terms(**({"amount_fen": 3_000, "valid_days": 7} | terms))
    template = await db.run(
        coupons.create_template,
        name={"zh-CN": "券", "en": "Coupon"},
        terms=given,
        quota=10,
        per_account_max=10,
        claimable=True,
        by_id="acc_ops",
    )
    return (await db.run(coupons.claim, template.id, account_id)).coupon.id


async def test_an_order_with_a_coupon_over_http(client: Client, clock: ManualClock, db: Database) -> None:
    coupon_id = await coupon_of(db, "acc_ann")
    asked = {"line": "homeservice", "mode": "grab", "item_id": ITEM.id, **AT, "coupon_id": coupon_id}
    quote = await ok(client, "ann", "POST", "/v1/quotes", asked)
    assert (quote["total"]["amount"], [line["kind"] for line in quote["lines"]]) == (
        23_800,
        ["item", "discount.coupon"],
    )
    plain = await ok(client, "ann", "POST", "/v1/quotes", {**asked, "coupon_id": None})
    assert plain["quote_hash"] != quote["quote_hash"]

    shown = {"coupon_id": coupon_id, "quote_hash": quote["quote_hash"]}
    status, _, refused = await post(client, clock, key="key-wrong-00000001", **(shown | {"coupon_id": None}))
    assert (status, refused["code"]) == (409, "price_changed")
    status, _, order = await post(client, clock, **shown)
    assert (status, order["price"]["coupon"]["amount"], order["price"]["coupon_id"]) == (201, 3_000, coupon_id)
    assert (await post(client, clock, **shown))[2]["id"] == order["id"]  # the same key again
    status, _, refused = await post(client, clock, key="key-post-00000002", **shown)
    assert (status, refused["code"]) == (409, "coupon_locked")
    status, _, refused = await client.as_("ann").send("POST", "/v1/quotes", json=asked)
    assert (status, refused["code"]) == (409, "coupon_locked")

    await ok(client, "tom", "POST", "/v1/partner/online")
    await ok(client, "tom", "POST", f"/v1/partner/calls/{order['call_id']}/grab", {})
    (grab,) = (await ok(client, "ann", "GET", f"/v1/orders/{order['id']}/grabs"))["data"]
    assert (grab["quote"]["coupon"]["amount"], grab["quote"]["total"]["amount"]) == (3_000, 24_700)
    path, tag = f"/v1/orders/{order['id']}", grab["quote"]["quote_hash"]
    stale = {"grab_id": grab["grab_id"], "quote_hash": "x"}
    status, _, refused = await client.as_("ann").send("POST", f"{path}/choose", json=stale)
    assert (status, refused["code"], refused["quote_hash"]) == (409, "price_changed", tag)
    chosen = await ok(client, "ann", "POST", f"{path}/choose", {"grab_id": grab["grab_id"], "quote_hash": tag})
    price = chosen["price"]
    assert (price["payable"]["amount"], price["quote_hash"]) == (24_700, tag)
    assert sum(line["amount"]["amount"] for line in price["lines"]) == 24_700
    assert [(line["kind"], line["allocated_to"]) for line in price["lines"]] == [
        ("item", None), ("travel", None), ("discount.coupon", 1),
    ]  # fmt: skip
    pay = {"method": "wallet", "quote_hash": tag}
    done = await ok(client, "ann", "POST", f"{path}/pay", pay, **{"Idempotency-Key": "key-pay-000000001"})
    assert done["price"]["paid"]["amount"] == 24_700
    (listed,) = (await ok(client, "ann", "GET", "/v1/orders"))["data"]
    assert listed["price"]["lines"] == price["lines"]
    seen = await ok(client, "tom", "GET", f"/v1/partner/orders/{order['id']}")
    assert seen["price"]["payable"]["amount"] == 24_700


async def test_which_of_my_coupons_are_good_for_an_item(client: Client, clock: ManualClock, db: Database) -> None:
    good = await coupon_of(db, "acc_ann")
    clock.advance(seconds=1)
    dear = await coupon_of(db, "acc_ann", threshold_fen=30_000)
    clock.advance(seconds=1)
    tied = await coupon_of(db, "acc_ann", worker_ids=("wrk_1",))
    clock.advance(seconds=1)
    held = await coupon_of(db, "acc_ann")
    await coupon_of(db, "acc_ben")
    assert (await post(client, clock, coupon_id=held))[0] == 201
    path = f"/v1/usable_coupons?item_id={ITEM.id}&lon={AT['lon']}&lat={AT['lat']}"

    def told(page: Any) -> list[Any]:
        return [(one["coupon_id"], one["reason"], one["discount"]["amount"]) for one in page["data"]]

    page = await ok(client, "ann", "GET", path)
    assert told(page) == [
        (held, "locked", 0), (tied, "technician", 0), (dear, "threshold", 0), (good, None, 3_000),
    ]  # fmt: skip
    assert [one["usable"] for one in page["data"]] == [False, False, False, True]
    assert page["data"][-1]["amount"]["amount"] == 23_800
    two = await ok(client, "ann", "GET", f"/v1/usable_coupons?item_id={ITEM.id}&region_code=990101&qty=2&limit=3")
    assert told(two)[2] == (dear, None, 3_000)
    rest = f"/v1/usable_coupons?item_id={ITEM.id}&region_code=990101&qty=2&limit=3&cursor={two['next_cursor']}"
    assert told(await ok(client, "ann", "GET", rest)) == [(good, None, 3_000)]
    for bad, code in (("qty=11&region_code=990101", 400), ("", 400), ("region_code=110101", 422)):
        assert (await client.as_("ann").send("GET", f"/v1/usable_coupons?item_id={ITEM.id}&{bad}"))[0] == code
