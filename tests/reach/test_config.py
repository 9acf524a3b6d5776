"""The operator's words and switches: what is published holds everywhere, and what must be told is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.reach import words
from rest.reach.config import actions, store
from rest.reach.config.model import (
    EXAMPLES,
    PROTECTED,
    TemplateMalformed,
    TemplateVariableUnknown,
    check_template,
    variables,
)
from rest.reach.config.routes import ROUTES
from rest.reach.kinds import KINDS
from rest.reach.routes import ROUTES as INBOX
from tests.money.serving import serve
from tests.reach.conftest import Post, changed
from tests.reach.test_broadcasts import House

PAID = "payment.paid"


def test_every_variable_has_an_example_and_every_usual_text_is_a_good_template() -> None:
    for kind in KINDS:
        assert set(variables(kind)) <= set(EXAMPLES)
        for said in words.TABLE[kind].values():
            for text in said:
                check_template(kind, text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{secret}", TemplateVariableUnknown), ("{amount.__class__}", TemplateMalformed),
        ("{amount[0]}", TemplateMalformed),
        ("{amount!r}", TemplateMalformed), ("{amount:>9999999}", TemplateMalformed), ("{}", TemplateMalformed),
        ("{0}", TemplateMalformed), ("{amount", TemplateMalformed), ("}", TemplateMalformed),
        ("{amount:{amount}}", TemplateMalformed),
    ],
)  # fmt: skip
def test_a_template_names_what_its_kind_is_about_and_reaches_no_further(text: str, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        check_template(PAID, text)


@given(st.text(alphabet="{}!:.[]amount 元", max_size=30))
def test_whatever_passes_can_be_said(text: str) -> None:
    try:
        check_template(PAID, text)
    except (TemplateMalformed, TemplateVariableUnknown):
        return
    told = words.say(PAID, {"amount": "1.00"}, "zh", published={(PAID, "zh"): words.Words(text, text)})
    assert told.title == text.replace("{amount}", "1.00").replace("{{", "{").replace("}}", "}")


def test_safety_and_money_are_protected() -> None:
    assert {"case.safety", "payment.paid", "payment.failed", "refund.executed", "withdrawal.refused"} <= PROTECTED
    assert "order.departed" not in PROTECTED


async def test_published_words_hold_in_the_inbox_the_fact_and_the_push(post: Post) -> None:
    ann = await post.person("ann")
    await post.db.run(
        actions.publish, "order.departed", "zh", words.Words("上路了", "师傅来了"), after=0, by_id="acc_ops"
    )
    await post.tell(changed("depart"), to=[ann.customer])
    await post.run()
    assert post.titles(ann) == ["上路了"]
    (fact,) = await post.told("notice.new")
    assert fact["title"] == {"zh-CN": "上路了", "en": "The technician is on the way"}
    await post.db.run(actions.publish, "order.departed", "zh", None, after=1, by_id="acc_ops")
    await post.tell(changed("depart"), to=[ann.customer])
    await post.run()
    assert post.titles(ann) == ["上路了", "师傅已出发"]


async def set_rules(post: Post, *off: str, hour_max: int | None = None) -> None:
    async with post.db.begin() as tx:
        now = await store.rules(tx)
        await actions.set_rules(tx, now, off=frozenset(off), hour_max=hour_max, by_id="acc_ops")


async def test_switches_hold_by_kind_family_and_channel(post: Post) -> None:
    ann = await post.person("ann")
    await set_rules(post, "order.departed/inbox", "order.arrived/push", "order.completed/inbox")
    for verb in ("depart", "arrive", "accept", "leave"):
        await post.tell(changed(verb), to=[ann.customer])
    await post.run()
    assert await post.kinds(ann) == ["order.arrived", "order.accepted"]
    assert post.titles(ann) == ["师傅已接单"]
    await set_rules(post, "order/inbox")
    await post.tell(changed("accept"), to=[ann.customer])
    assert len(await post.kinds(ann)) == 2


async def test_an_hour_has_a_limit_but_not_for_what_is_urgent(post: Post) -> None:
    ann = await post.person("ann")
    await set_rules(post, hour_max=2)
    for verb in ("accept", "leave", "agree", "accept", "arrive"):
        await post.tell(changed(verb), to=[ann.customer])
    await post.run()
    assert post.titles(ann) == ["师傅已接单", "订单已完成", "师傅已到达"]
    assert len(await post.kinds(ann)) == 5
    await post.run(hours=1)
    await post.tell(changed("accept"), to=[ann.customer])
    await post.run()
    assert len(post.titles(ann)) == 4


@pytest.fixture
async def house(post: Post) -> AsyncIterator[House]:
    people = {"ola": ["ops"], "sue": ["support"], "ann": []}
    async with serve(post.db, post.settings, [*ROUTES, *INBOX], people) as client:
        yield House(post, client)


async def test_the_operator_publishes_previews_and_switches(house: House) -> None:
    said = {"title": "收款成功", "body": "共 {amount} 元"}
    body: dict[str, Any] = {"kind": PAID, "language": "zh", "after": 0, "words": said}
    assert (await house.ask("sue", "POST", "/v1/admin/notice_templates", body))[0] == 403
    status, made = await house.ask("ola", "POST", "/v1/admin/notice_templates", body)
    assert (status, made["version"], made["created_by"]) == (201, 1, "acc_ola")
    for wrong, expected in (
        ({"words": {**said, "body": "{money}"}, "after": 1}, (422, "template_variable")),
        ({"words": {**said, "body": "{amount"}, "after": 1}, (422, "template_malformed")),
        ({"kind": "no.such"}, (422, "notice_kind_unknown")), ({"after": 0}, (409, "template_changed")),
        ({"after": 2}, (409, "template_changed")),
    ):  # fmt: skip
        status, refused = await house.ask("ola", "POST", "/v1/admin/notice_templates", {**body, **wrong})
        assert (status, refused["code"]) == expected, wrong
    status, refused = await house.ask(
        "ola", "POST", "/v1/admin/notice_templates", {**body, "words": {**said, "title": "{money}"}}
    )
    assert refused["variable"] == "money"

    preview = {"kind": PAID, "language": "zh"}
    assert (await house.ask("ola", "POST", "/v1/admin/notice_previews", preview))[1]["body"] == "共 128.00 元"
    tried = {**preview, "words": {"title": "{amount}", "body": ""}}
    status, shown = await house.ask("ola", "POST", "/v1/admin/notice_previews", tried)
    assert (status, shown) == (200, {"title": "128.00", "body": "", "values": {"amount": "128.00"}})
    await house.ask("ola", "POST", "/v1/admin/notice_templates", {**body, "after": 1, "words": None})
    listed = (await house.ask("ola", "GET", "/v1/admin/notice_templates"))[1]["templates"]
    now = next(one for one in listed if (one["kind"], one["language"]) == (PAID, "zh"))
    assert (now["version"], now["title"], now["variables"], now["is_protected"]) == (2, "付款成功", ["amount"], True)
    assert len(listed) == 2 * len(KINDS)
    versions = f"/v1/admin/notice_template_versions?kind={PAID}&language=zh&limit=1"
    _, first = await house.ask("ola", "GET", versions)
    _, second = await house.ask("ola", "GET", f"{versions}&cursor={first['next_cursor']}")
    assert [one["title"] for one in (*first["data"], *second["data"])] == [None, "收款成功"]

    async def put(off: list[dict[str, str]], version: str, **more: Any) -> Any:
        status, headers, answer = await house.client.as_("ola").send(
            "PUT", "/v1/admin/notice_rules", json={"off": off, **more}, headers={"If-Match": version}
        )
        return status, headers.get("ETag"), answer

    for kind in ("payment.failed", "payment", "case", "case.safety", "broadcast.sent"):
        status, _, refused = await put([{"kind": kind, "channel": "inbox"}], '"v1"')
        assert (status, refused["code"]) == (422, "notice_protected"), kind
    off = [{"kind": "payment.paid", "channel": "push"}]
    status, tag, saved = await put(off, '"v1"', hour_max=5)
    assert (status, tag, saved["off"], saved["hour_max"]) == (200, '"v2"', off, 5)
    assert (await put(off, '"v1"'))[0] == 412
    # And nobody mutes his own inbox: it is no channel (FR-192)
    muted = {"muted": [{"kind": "payment", "channel": "inbox"}]}
    assert (await house.ask("ann", "PUT", "/v1/notice_settings", muted))[0] == 400
