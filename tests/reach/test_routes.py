"""The inbox, wishes and devices over HTTP, and that other people's are not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from rest.people.actions import end_sessions
from rest.reach.routes import ROUTES
from tests.edge.conftest import Client
from tests.money.serving import serve
from tests.reach.conftest import Post, changed

PEOPLE = {"ann": [], "ben": [], "sue": ["support"]}


class House:
    """The routes, and people with devices: the token `ann` is the account acc_ann in session ses_ann."""

    def __init__(self, post: Post, client: Client) -> None:
        self.post, self.client = post, client

    async def ask(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """(status, answer)."""
        self.post.clock.advance(seconds=0.002)
        status, _, answer = await self.client.as_(who).send(method, path, json=body)
        return status, answer

    async def open(self) -> None:
        async with self.post.db.begin() as tx:
            for n, name in enumerate(PEOPLE):
                await tx.execute(
                    "INSERT INTO accounts (id, phone, roles, created_at, updated_at) VALUES ($1, $2, '{user}', $3, $3)",
                    f"acc_{name}", f"+861380013800{n}", tx.now,
                )  # fmt: skip
                await tx.execute(
                    """
                    INSERT INTO sessions (id, account_id, refresh_hash, created_at, refreshed_at, expires_at)
                    VALUES ($1, $2, '\\x00', $3, $3, $4)
                    """,
                    f"ses_{name}", f"acc_{name}", tx.now, tx.now + timedelta(days=30),
                )  # fmt: skip

    async def told(self, who: str, *verbs: str) -> None:
        for verb in verbs:
            await self.post.tell(changed(verb), to=[f"customer:acc_{who}"])


@pytest.fixture
async def house(post: Post) -> AsyncIterator[House]:
    async with serve(post.db, post.settings, ROUTES, PEOPLE) as client:
        house = House(post, client)
        await house.open()
        yield house


async def test_the_inbox_is_paged_counted_and_marked(house: House) -> None:
    await house.told("ann", "accept", "depart", "arrive", "leave", "agree")
    seen: list[str] = []
    path = "/v1/notices?limit=2"
    while True:
        status, page = await house.ask("ann", "GET", path)
        assert status == 200
        seen += [one["kind"] for one in page["data"]]
        if not page["has_more"]:
            break
        path = f"/v1/notices?limit=2&cursor={page['next_cursor']}"
    assert seen == ["order.accepted", "order.completed", "order.arrived", "order.departed", "order.accepted"]
    assert (await house.ask("ann", "GET", "/v1/notices/unread"))[1] == {"unread": 5}

    third = (await house.ask("ann", "GET", "/v1/notices"))[1]["data"][2]
    assert third["title"] == {"zh-CN": "师傅已到达", "en": "The technician has arrived"}
    assert (third["subject_kind"], third["subject_id"], third["read_at"]) == ("order", "ord_1", None)
    status, answer = await house.ask("ann", "POST", "/v1/notice_reads", {"up_to": third["id"]})
    assert (status, answer) == (200, {"read": 3, "unread": 2})
    assert (await house.ask("ann", "POST", "/v1/notice_reads", {"up_to": third["id"]}))[1] == {"read": 0, "unread": 2}
    unread = (await house.ask("ann", "GET", "/v1/notices?unread=true"))[1]["data"]
    assert [one["kind"] for one in unread] == ["order.accepted", "order.completed"]
    one = unread[0]["id"]
    first = (await house.ask("ann", "POST", f"/v1/notices/{one}/read"))[1]
    again = (await house.ask("ann", "POST", f"/v1/notices/{one}/read"))[1]
    assert first == again == (await house.ask("ann", "GET", f"/v1/notices/{one}"))[1]
    assert first["read_at"] is not None
    assert len((await house.ask("ann", "GET", "/v1/notices?kind=order.accepted"))[1]["data"]) == 2
    assert [fact["unread"] for fact in await house.post.told("notice.read")] == [2, 1]


async def test_other_peoples_are_not_there(house: House) -> None:
    await house.told("ann", "accept")
    mine = (await house.ask("ann", "GET", "/v1/notices"))[1]["data"][0]["id"]
    device = (await house.ask("ann", "POST", "/v1/devices", {"platform": "ios", "token": "token-of-ann"}))[1]["id"]
    await house.told("ann", "depart")
    await house.post.run()
    delivery = (await house.post.deliveries(channel="push"))[0].id
    for method, path, body in (
        ("GET", f"/v1/notices/{mine}", None), ("POST", f"/v1/notices/{mine}/read", None),
        ("POST", "/v1/notice_reads", {"up_to": mine}), ("POST", f"/v1/deliveries/{delivery}/confirm", None),
    ):  # fmt: skip
        status, answer = await house.ask("ben", method, path, body)
        assert (status, answer["code"]) == (404, "not_found"), path
    status, answer = await house.ask("ben", "DELETE", f"/v1/devices/{device}")
    assert (status, answer["code"]) == (404, "device_unknown")
    assert (await house.ask("ben", "GET", "/v1/notices"))[1]["data"] == []
    assert (await house.ask("ben", "GET", "/v1/devices"))[1]["data"] == []
    assert (await house.ask("ben", "GET", "/v1/admin/deliveries"))[0] == 403
    assert (await house.ask("ann", "GET", "/v1/notices/unread"))[1] == {"unread": 2}


async def test_a_device_is_one_accounts_and_goes_with_its_session(house: House) -> None:
    """HS-199."""
    body = {"platform": "android", "token": "one-phone-of-two"}
    status, first = await house.ask("ann", "POST", "/v1/devices", body)
    assert (status, first["platform"], first["is_current"]) == (201, "android", True)
    assert "token" not in first
    assert (await house.ask("ann", "POST", "/v1/devices", body))[1]["id"] == first["id"]
    status, second = await house.ask("ben", "POST", "/v1/devices", body)
    assert second["id"] != first["id"]
    assert (await house.ask("ann", "GET", "/v1/devices"))[1]["data"] == []
    await house.told("ann", "arrive")
    await house.told("ben", "arrive")
    await house.post.run()
    assert len(house.post.to("one-phone-of-two")) == 1

    for n in range(12):
        await house.ask("ann", "POST", "/v1/devices", {"platform": "ios", "token": f"phone-number-{n:02}"})
    listed = (await house.ask("ann", "GET", "/v1/devices"))[1]["data"]
    assert len(listed) == 10
    assert (await house.ask("ann", "DELETE", f"/v1/devices/{listed[0]['id']}"))[0] == 204
    assert (await house.ask("ann", "DELETE", f"/v1/devices/{listed[0]['id']}"))[0] == 404
    await house.post.db.run(end_sessions, "acc_ann", ["ses_ann"], "signed_out")
    await house.post.relay()
    await house.post.listener.drain()
    assert (await house.ask("ann", "GET", "/v1/devices"))[1]["data"] == []
    assert len((await house.ask("ben", "GET", "/v1/devices"))[1]["data"]) == 1


async def test_two_accounts_that_register_one_device_at_once_leave_it_to_one(house: House) -> None:
    import asyncio

    body = {"platform": "android", "token": "a-phone-of-both"}
    await asyncio.gather(*(house.ask(who, "POST", "/v1/devices", body) for who in ("ann", "ben") * 5))
    owners = [who for who in ("ann", "ben") if (await house.ask(who, "GET", "/v1/devices"))[1]["data"]]
    assert len(owners) == 1


async def test_wishes_are_said_read_and_checked(house: House) -> None:
    status, usual = await house.ask("ann", "GET", "/v1/notice_settings")
    assert (status, usual["language"], usual["quiet_hours"], usual["muted"]) == (200, "zh", None, [])
    kinds = {one["kind"]: one for one in usual["kinds"]}
    assert kinds["order.departed"]["channels"] == ["push", "wechat", "sms"]
    assert kinds["order.departed"]["name"]["en"] == "The technician is on the way"
    wanted = {
        "language": "en", "quiet_hours": {"begin": "22:30", "end": "07:05"},
        "muted": [{"kind": "coupon", "channel": "push"}, {"kind": "order.arrived", "channel": "sms"}],
    }  # fmt: skip
    status, said = await house.ask("ann", "PUT", "/v1/notice_settings", wanted)
    assert (status, {name: said[name] for name in wanted}) == (200, wanted)
    assert (await house.ask("ann", "GET", "/v1/notice_settings"))[1] == said
    assert (await house.ask("ben", "GET", "/v1/notice_settings"))[1] == usual
    for muted, code in (([{"kind": "no.such", "channel": "push"}], "notice_kind_unknown"),
                        ([{"kind": "order", "channel": "pigeon"}], "invalid_input")):  # fmt: skip
        _, refused = await house.ask("ann", "PUT", "/v1/notice_settings", {"muted": muted})
        assert refused["code"] == code
    for hours in ({"begin": "24:00", "end": "07:00"}, {"begin": "22:00"}, {"begin": "7:00", "end": "08:00"}):
        assert (await house.ask("ann", "PUT", "/v1/notice_settings", {"quiet_hours": hours}))[0] == 400
    assert (await house.ask("ann", "GET", "/v1/notice_settings"))[1] == said


async def test_a_device_says_that_it_has_got_it_and_staff_see_what_became_of_it(house: House) -> None:
    await house.ask("ann", "POST", "/v1/devices", {"platform": "android", "token": "phone-of-ann"})
    await house.told("ann", "arrive")
    (delivery,) = await house.post.deliveries()
    status, refused = await house.ask("ann", "POST", f"/v1/deliveries/{delivery.id}/confirm")
    assert (status, refused["code"]) == (409, "delivery_state")
    await house.post.run()
    extras = house.post.to("phone-of-ann")[0].raw["notification"]["android"]["extras"]
    for _ in range(2):
        status, view = await house.ask("ann", "POST", f"/v1/deliveries/{extras['delivery_id']}/confirm")
        assert (status, view["state"]) == (200, "delivered")
    await house.told("ann", "leave")
    listed = (await house.ask("sue", "GET", "/v1/admin/deliveries?channel=push"))[1]["data"]
    assert [(one["state"], one["account_id"]) for one in listed] == [("queued", "acc_ann"), ("delivered", "acc_ann")]
    assert (await house.ask("sue", "GET", "/v1/admin/deliveries?state=failed"))[1]["data"] == []
