"""Feedback: what people say, how staff answer, and that the answer reaches the inbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from rest.desk.feedback.model import (
    DAY_MAX,
    TRANSITIONS,
    VERBS,
    Feedback,
    FeedbackState,
    PeriodInvalid,
    Side,
    WrongFeedbackState,
    check_period,
)
from rest.desk.feedback.routes import ROUTES
from rest.people.files.routes import ROUTES as FILES
from rest.reach.routes import ROUTES as INBOX
from tests.files.test_files import picture
from tests.money.serving import serve
from tests.reach.conftest import Post
from tests.reach.test_broadcasts import House

NOW = datetime(2026, 1, 5, 2, tzinfo=UTC)
WHO: dict[str, list[str]] = {
    "ann": [], "ben": [], "tom": ["tenant_agent", "@ten_1"], "sue": ["support"], "eve": ["finance"],
}  # fmt: skip
SAID = {"kind": "idea", "body": "  希望可以改预约时间  "}


@pytest.mark.parametrize(("state", "verb"), list(product(FeedbackState, VERBS)))
def test_every_verb_in_every_state(state: FeedbackState, verb: str) -> None:
    one = Feedback(
        id="fbk_1", account_id="acc_1", side=Side.CUSTOMER, tenant_id=None, kind="idea", body="x", file_ids=(),
        state=state, day=NOW.date(), created_at=NOW, changed_at=NOW,
    )  # fmt: skip
    if (state, verb) in TRANSITIONS:
        after = one.after(verb, NOW, by_id="acc_2", reply="y")
        assert (after.state, after.version, after.handled_by) == (TRANSITIONS[state, verb], 2, "acc_2")
    else:
        with pytest.raises(WrongFeedbackState):
            one.after(verb, NOW, by_id="acc_2", reply="y")


def test_a_period_has_its_bounds() -> None:
    check_period(date(2026, 1, 1), date(2026, 1, 1))
    check_period(date(2026, 1, 1), date(2027, 1, 1))
    for since, until in ((date(2026, 1, 2), date(2026, 1, 1)), (date(2026, 1, 1), date(2027, 1, 2))):
        with pytest.raises(PeriodInvalid):
            check_period(since, until)


@pytest.fixture
async def house(post: Post) -> AsyncIterator[House]:
    pool = post.db.pool
    await pool.execute("INSERT INTO tenants (id, name, created_at, changed_at) VALUES ('ten_1', 'A', now(), now())")
    for n, (name, roles) in enumerate(WHO.items()):
        tenant = "ten_1" if name == "tom" else None
        await pool.execute(
            "INSERT INTO accounts (id, phone, roles, tenant_id, created_at, updated_at)"
            " VALUES ($1, $2, $3, $4, $5, $5)",
            f"acc_{name}", f"+861380013800{n}", ["user", *(one for one in roles if one[0] != "@")], tenant, NOW,
        )  # fmt: skip
    async with serve(post.db, post.settings, [*ROUTES, *FILES, *INBOX], WHO) as client:
        yield House(post, client)


async def handle(house: House, one: str, verb: str, version: int, reply: str | None = None, *, who: str = "sue") -> Any:
    status, headers, answer = await house.client.as_(who).send(
        "POST", f"/v1/admin/feedback/{one}/handle", json={"verb": verb, "reply": reply},
        headers={"If-Match": f'"v{version}"'},
    )  # fmt: skip
    return status, answer


async def test_it_is_said_handled_answered_and_told(house: House) -> None:
    status, made = await house.ask("ann", "POST", "/v1/feedback", SAID)
    assert (status, made["state"], made["body"], made["reply"]) == (201, "open", "希望可以改预约时间", None)
    for wrong, expected in (
        ({"body": " \n "}, (422, "feedback_empty")), ({"body": "x" * 2001}, (400, "invalid_input")),
        ({"kind": "spam"}, (400, "invalid_input")),
    ):  # fmt: skip
        status, refused = await house.ask("ann", "POST", "/v1/feedback", {**SAID, **wrong})
        assert (status, refused["code"]) == expected
    one = made["id"]
    assert (await house.ask("ben", "GET", f"/v1/feedback/{one}"))[0] == 404
    assert (await house.ask("ben", "GET", "/v1/feedback"))[1]["data"] == []
    for who in ("ann", "eve", "tom"):
        assert (await house.ask(who, "GET", f"/v1/admin/feedback/{one}"))[0] == 403
        assert (await handle(house, one, "take", 1, who=who))[0] == 403

    assert (await handle(house, one, "answer", 1))[1]["code"] == "reply_missing"
    assert (await handle(house, one, "answer", 1, "  "))[1]["code"] == "reply_missing"
    status, taken = await handle(house, one, "take", 1)
    assert (status, taken["state"], taken["handled_by"]) == (200, "in_progress", "acc_sue")
    assert (await handle(house, one, "answer", 1, "迟了"))[0] == 412
    house.post.clock.advance(seconds=1)
    assert (await handle(house, one, "answer", 2, "下个版本就有"))[0] == 200
    await house.post.relay()
    await house.post.listener.drain()
    notices = (await house.ask("ann", "GET", "/v1/notices"))[1]["data"]
    assert [(notice["kind"], notice["subject_id"]) for notice in notices] == [("feedback.answered", one)]
    assert "下个版本" not in str(notices)  # other companies carry it: it leads to the answer
    mine = (await house.ask("ann", "GET", f"/v1/feedback/{one}"))[1]
    assert (mine["state"], mine["reply"]) == ("answered", "下个版本就有")
    house.post.clock.advance(seconds=1)
    assert (await handle(house, one, "close", 3))[0] == 200
    await house.post.relay()
    await house.post.listener.drain()
    assert (await house.ask("ann", "GET", "/v1/notices/unread"))[1] == {"unread": 1}  # closing says nothing new
    for verb in ("take", "answer", "close"):
        status, refused = await handle(house, one, verb, 4, "noch")
        assert (status, refused["code"]) == (409, "feedback_state")
    assert [deed["operation"] for deed in await house.post.db.pool.fetch("SELECT operation FROM audit")] == [
        "admin_feedback.handle"
    ] * 3


async def test_five_a_business_day_however_many_at_once(house: House) -> None:
    answers = await asyncio.gather(*(house.ask("ann", "POST", "/v1/feedback", SAID) for _ in range(DAY_MAX + 4)))
    assert sorted(status for status, _ in answers) == [201] * DAY_MAX + [429] * 4
    assert {answer["code"] for status, answer in answers if status == 429} == {"feedback_limit"}
    assert (await house.ask("ben", "POST", "/v1/feedback", SAID))[0] == 201
    house.post.clock.advance(seconds=86_400)
    assert (await house.ask("ann", "POST", "/v1/feedback", SAID))[0] == 201


async def test_pictures_are_ones_own_and_staff_see_them(house: House) -> None:
    async def upload(who: str, purpose: str = "feedback") -> str:
        house.post.clock.advance(seconds=0.002)
        _, _, file = await house.client.as_(who).send(
            "POST", f"/v1/files?purpose={purpose}", data=picture("PNG"), headers={"Content-Type": "image/png"}
        )
        return str(file["id"])

    mine, bens, chat = await upload("ann"), await upload("ben"), await upload("ann", "chat")
    for wrong in (bens, chat):
        assert (await house.ask("ann", "POST", "/v1/feedback", {**SAID, "file_ids": [wrong]}))[0] == 404
    assert (await house.ask("ann", "POST", "/v1/feedback", {**SAID, "file_ids": [mine] * 7}))[0] == 400
    status, made = await house.ask("ann", "POST", "/v1/feedback", {**SAID, "file_ids": [mine]})
    assert (status, made["file_ids"]) == (201, [mine])
    status, refused = await house.ask("ann", "POST", "/v1/feedback", {**SAID, "file_ids": [mine]})
    assert (status, refused["code"]) == (409, "file_taken")
    assert len((await house.ask("ann", "GET", "/v1/feedback"))[1]["data"]) == 1
    path = f"/v1/admin/feedback/{made['id']}/files"
    assert (await house.ask("sue", "GET", f"{path}/{mine}"))[0] == 200
    assert (await house.ask("sue", "GET", f"{path}/{bens}"))[0] == 404
    assert (await house.ask("ann", "GET", f"{path}/{mine}"))[0] == 403


async def test_staff_filter_and_count(house: House) -> None:
    ids = []
    for who, kind in (("ann", "fault"), ("tom", "fault"), ("ben", "praise")):
        ids.append((await house.ask(who, "POST", "/v1/feedback", {**SAID, "kind": kind}))[1]["id"])
    await handle(house, ids[0], "answer", 1, "ok")
    house.post.clock.advance(seconds=timedelta(days=40).total_seconds())
    ids.append((await house.ask("ben", "POST", "/v1/feedback", SAID))[1]["id"])

    async def listed(query: str) -> list[str]:
        return [one["id"] for one in (await house.ask("sue", "GET", f"/v1/admin/feedback?{query}"))[1]["data"]]

    assert await listed("") == ids[::-1]
    assert await listed("kind=fault") == [ids[1], ids[0]]
    assert await listed("state=open&side=customer") == [ids[3], ids[2]]
    assert await listed("side=tenant") == [ids[1]]
    assert await listed("account_id=acc_01kcbs3t20ewxvqs1a5d9rm2f7") == []
    _, first = await house.ask("sue", "GET", "/v1/admin/feedback?limit=3")
    _, rest = await house.ask("sue", "GET", f"/v1/admin/feedback?limit=3&cursor={first['next_cursor']}")
    assert [one["id"] for one in (*first["data"], *rest["data"])] == ids[::-1]

    path = "/v1/admin/feedback_statistics?since={}&until={}"
    day = (await house.post.db.pool.fetchval("SELECT min(day) FROM feedback")).isoformat()
    status, counted = await house.ask("sue", "GET", path.format(day, day))
    assert (status, counted["total"]) == (200, 3)
    assert [(one["kind"], one["state"], one["count"]) for one in counted["counts"]] == [
        ("fault", "answered", 1), ("fault", "open", 1), ("praise", "open", 1),
    ]  # fmt: skip
    later = (date.fromisoformat(day) + timedelta(days=40)).isoformat()
    months = {one["month"] for one in (await house.ask("sue", "GET", path.format(day, later)))[1]["counts"]}
    assert len(months) == 2
    status, refused = await house.ask("sue", "GET", path.format(later, day))
    assert (status, refused["code"]) == (422, "period_invalid")
