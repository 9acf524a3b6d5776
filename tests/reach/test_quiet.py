"""Quiet hours: what waits for their end, what does not, and what is told as one afterwards."""

from __future__ import annotations

import pytest

from tests.reach.conftest import Person, Post, changed

NIGHT = {"quiet_from_min": 22 * 60, "quiet_to_min": 7 * 60}


@pytest.fixture
async def ann(post: Post) -> Person:
    """Somebody asleep: it is 23:00 in Shanghai."""
    ann = await post.person("ann")
    await post.wish(ann, **NIGHT, muted=["order/sms"])
    await post.run(hours=13)
    return ann


async def test_urgent_news_wake_and_others_wait_for_the_morning(post: Post, ann: Person) -> None:
    await post.tell(changed("accept"), to=[ann.customer])
    await post.tell(changed("depart"), to=[ann.customer])
    await post.run()
    assert post.titles(ann) == ["师傅已出发"]
    assert await post.kinds(ann) == ["order.accepted", "order.departed"]  # the inbox does not wait
    await post.run(hours=7, minutes=59)
    assert len(post.titles(ann)) == 1
    await post.run(minutes=1)
    assert post.titles(ann) == ["师傅已出发", "师傅已接单"]
    assert await post.states() == ["sent", "sent"]


async def test_many_are_told_as_one_and_what_was_read_is_not_told(post: Post, ann: Person) -> None:
    from rest.reach.actions import inbox

    for verb in ("accept", "leave", "ask_choice", "agree", "accept", "leave"):
        await post.tell(changed(verb), to=[ann.customer])
    newest = (await post.inbox(ann))[0]
    await post.db.run(inbox.read_one, ann.account_id, newest.id)
    await post.run(hours=8)
    (sent,) = post.to("android-of-ann")
    assert (sent.title, sent.text) == ("您有 5 条新通知", "最近一条：师傅已接单")
    assert sorted(await post.states()) == ["dropped"] * 5 + ["sent"]
    (digest,) = await post.deliveries(state="sent")
    assert digest.stands_for == 5


async def test_a_few_are_told_each(post: Post, ann: Person) -> None:
    for verb in ("accept", "leave", "ask_choice"):
        await post.tell(changed(verb), to=[ann.customer])
    await post.run(hours=8)
    assert sorted(post.titles(ann)) == sorted(["师傅已接单", "订单已完成", "请选择师傅"])


async def test_whoever_changes_the_hours_is_told_by_the_new_ones(post: Post, ann: Person) -> None:
    await post.tell(changed("accept"), to=[ann.customer])
    await post.wish(ann, quiet_from_min=22 * 60, quiet_to_min=9 * 60, muted=["order/sms"])
    await post.run(hours=8, minutes=30)
    assert post.titles(ann) == []
    await post.wish(ann, muted=["order/sms"])  # up early
    await post.run()
    assert post.titles(ann) == ["师傅已接单"]


async def test_what_is_muted_is_in_the_inbox_alone(post: Post) -> None:
    bob = await post.person("bob")
    await post.wish(bob, muted=["order/push", "order.departed/sms"])
    await post.tell(changed("depart"), to=[bob.customer])
    await post.run()
    assert (post.simulator.sent, await post.kinds(bob)) == ([], ["order.departed"])
