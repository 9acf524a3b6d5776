"""Announcements for whom and when they are meant, and help that is found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from rest.desk.content.model import NEEDLES_MAX, needles
from rest.desk.content.routes import ROUTES
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.money.serving import serve

WHO: dict[str, list[str]] = {
    "ann": [], "wen": ["technician"], "tom": ["tenant_agent", "@ten_1"], "sue": ["support"], "ola": ["ops"],
}  # fmt: skip
TEXT = {"title": {"zh-CN": "国庆安排", "en": "Holidays"}, "body": {"zh-CN": "照常服务", "en": "We are open"}}


class House:
    def __init__(self, client: Client, clock: ManualClock) -> None:
        self.client, self.clock, self.n = client, clock, 0

    async def ask(self, who: str | None, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """(status, ETag, answer)."""
        self.clock.advance(seconds=0.002)
        self.n += 1
        if method == "POST":
            headers["Idempotency-Key"] = f"key-{self.n:020}"
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        status, got, answer = await self.client.as_(who).send(method, path, json=body, headers=names)
        return status, got.get("ETag"), answer

    async def titles(self, who: str) -> list[str]:
        return [one["title"]["en"] for one in (await self.ask(who, "GET", "/v1/announcements"))[2]["data"]]

    async def found(self, query: str, who: str | None = None) -> list[str]:
        where = "/v1/admin/help_documents" if who else "/v1/help_documents"
        return [one["title"]["en"] for one in (await self.ask(who, "GET", f"{where}?{query}"))[2]["data"]]


@pytest.fixture
async def house(db: Database, settings: Settings, clock: ManualClock) -> AsyncIterator[House]:
    async with serve(db, settings, ROUTES, WHO) as client:
        yield House(client, clock)


async def test_an_announcement_is_shown_to_whom_and_when_it_is_meant(house: House) -> None:
    now = house.clock.now()
    for title, audiences, begins, ends in (
        ("all", ["customers", "workers", "tenants", "staff"], 0, 5), ("work", ["workers"], 0, 5),
        ("houses", ["tenants"], 0, 5), ("us", ["staff"], 0, 2), ("soon", ["customers"], 3, 5),
    ):  # fmt: skip
        body = {
            **TEXT, "title": {"zh-CN": "一", "en": title}, "audiences": audiences,
            "begins_at": (now + timedelta(hours=begins)).isoformat(),
            "ends_at": (now + timedelta(hours=ends)).isoformat(),
        }  # fmt: skip
        assert (await house.ask("sue", "POST", "/v1/admin/announcements", body))[0] == 403
        status, tag, made = await house.ask("ola", "POST", "/v1/admin/announcements", body)
        assert (status, tag, made["created_by"]) == (201, '"v1"', "acc_ola")
    shown = {who: await house.titles(who) for who in WHO}
    assert shown == {
        "ann": ["all"], "wen": ["work", "all"], "tom": ["houses", "all"], "sue": ["us", "all"], "ola": ["us", "all"],
    }  # fmt: skip
    house.clock.advance(hours=3)
    assert [await house.titles(who) for who in ("ann", "sue")] == [["soon", "all"], ["all"]]

    path = f"/v1/admin/announcements/{made['id']}"
    for wrong in ({"ends_at": body["begins_at"]}, {"ends_at": now.isoformat()}, {"begins_at": body["ends_at"]},
                  {"ends_at": (now + timedelta(days=500)).isoformat()}):  # fmt: skip
        status, _, refused = await house.ask("ola", "PATCH", path, wrong, If_Match='"v1"')
        assert (status, refused["code"]) == (422, "announcement_period")
    over = {**body, "ends_at": body["begins_at"]}
    status, _, refused = await house.ask("ola", "POST", "/v1/admin/announcements", over)
    assert (status, refused["code"]) == (422, "announcement_period")
    assert (await house.ask("ola", "PATCH", path, {"withdrawn": True}, If_Match='"v1"'))[:2] == (200, '"v2"')
    assert (await house.ask("ola", "PATCH", path, {"withdrawn": False}, If_Match='"v1"'))[0] == 412
    assert await house.titles("ann") == ["all"]
    house.clock.advance(hours=3)
    assert await house.titles("wen") == []
    assert len((await house.ask("ola", "GET", "/v1/admin/announcements"))[2]["data"]) == 5


async def write(house: House, category: str, place: int, zh: str, en: str, **more: Any) -> Any:
    body = {"category": category, "place": place, "title": {"zh-CN": zh, "en": en},
            "body": {"zh-CN": f"如何{zh}：请联系客服", "en": f"How to {en}: ask ＡＰＰ support"}, **more}  # fmt: skip
    status, _, made = await house.ask("ola", "POST", "/v1/admin/help_documents", body)
    assert status == 201
    return made


def test_a_search_is_a_few_words_in_one_form() -> None:
    assert needles("  Refund ＡＰＰ refund ") == ["refund", "app"]
    assert len(needles(" ".join(map(str, range(50))))) == NEEDLES_MAX


async def test_help_is_read_by_anybody_found_and_ordered(house: House) -> None:
    await write(house, "payment", 2, "退款", "Refund")
    await write(house, "payment", 1, "付款", "Pay")
    await write(house, "account", 9, "登录", "Sign in")
    hidden = await write(house, "payment", 3, "草稿", "Draft", published=False)
    assert await house.found("") == ["Sign in", "Pay", "Refund"]
    assert await house.found("category=payment") == ["Pay", "Refund"]
    assert await house.found("search=退款 客服") == ["Refund"]
    assert await house.found("search=app REFUND") == ["Refund"]
    assert await house.found("search=%25") == []
    assert await house.found("search=nothing") == []
    assert await house.found("search=草稿") == []
    assert await house.found("search=草稿", "ola") == ["Draft"]
    assert (await house.ask(None, "GET", f"/v1/help_documents/{hidden['id']}"))[0] == 404
    seen, path = [], "/v1/help_documents?limit=1"
    while path:
        _, _, page = await house.ask(None, "GET", path)
        seen += [one["title"]["en"] for one in page["data"]]
        path = f"/v1/help_documents?limit=1&cursor={page['next_cursor']}" if page["has_more"] else ""
    assert seen == ["Sign in", "Pay", "Refund"]


async def test_a_document_has_versions(house: House) -> None:
    made = await write(house, "payment", 1, "付款", "Pay")
    path = f"/v1/help_documents/{made['id']}"
    status, tag, _ = await house.ask(None, "GET", path)
    assert (status, tag) == (200, '"v1"')
    assert (await house.ask(None, "GET", path, If_None_Match=tag))[0] == 304
    admin = f"/v1/admin/help_documents/{made['id']}"
    for who in ("ann", "sue", "tom"):
        assert (await house.ask(who, "PATCH", admin, {"place": 2}, If_Match=tag))[0] == 403
    change = {"title": {"zh-CN": "支付", "en": "Paying"}}
    assert (await house.ask("ola", "PATCH", admin, change, If_Match=tag))[:2] == (200, '"v2"')
    assert (await house.ask("ola", "PATCH", admin, change, If_Match=tag))[0] == 412
    status, tag, now = await house.ask(None, "GET", path, If_None_Match=tag)
    assert (status, tag, now["title"], now["body"]) == (200, '"v2"', change["title"], made["body"])
    assert await house.found("search=支付") == ["Paying"]
    assert (await house.ask("ola", "DELETE", admin))[0] == 204
    assert (await house.ask(None, "GET", path))[0] == 404
