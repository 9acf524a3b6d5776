"""Facts become notices: once for each person, whatever dies when and whoever listens beside us."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from chat import cases, desk
from chat.cases.facts import CaseClosed
from dispatch.facts import OfferClosed, OfferMade
from rest.marketing.coupons.facts import CouponIssued
from rest.money.signing.facts import WalletDeviceAdded
from rest.people.actions import end_sessions
from rest.reach import Listener
from rest.reach.actions import hearing
from rest.reach.actions.telling import ROOM
from storage import outbox
from tests.conftest import MONDAY
from tests.reach.conftest import Person, Post, changed


def offer(person: Person, n: int = 1, *, minutes: float = 5, post: Post) -> OfferMade:
    return OfferMade(
        offer_id=f"ofr_{n}", call_id="cal_1", subject_kind="order", subject_id="ord_1", service="a", mode="direct",
        epoch=1, wave=1, distance_m=1_200, lon=104.0, lat=30.0, area_code="510104", start_at=MONDAY,
        expires_at=post.clock.now() + timedelta(minutes=minutes), detail={},
    )  # fmt: skip


async def test_a_fact_is_told_to_those_of_its_audience_it_concerns(post: Post) -> None:
    ann, tom = await post.person("ann"), await post.person("tom", is_worker=True)
    eve = await post.person("eve")
    await post.tell(changed("depart"), to=[ann.customer, tom.worker, "order:ord_1", "ops"])
    assert (await post.kinds(ann), await post.kinds(tom), await post.kinds(eve)) == (["order.departed"], [], [])
    await post.tell(changed("confirm_left", who="customer"), to=[ann.customer, tom.worker, "ops"])
    assert (await post.kinds(ann), await post.kinds(tom)) == (["order.departed"], ["order.left_confirmed"])

    new = await post.told("notice.new")
    assert [(one["kind"], one["unread"], one["urgency"]) for one in new] == [
        ("order.departed", 1, "urgent"), ("order.left_confirmed", 1, "normal"),
    ]  # fmt: skip
    assert new[0]["to"] == (ann.customer, f"agent:{ann.account_id}")
    assert new[1]["to"] == (tom.customer, f"agent:{tom.account_id}", tom.worker)
    assert new[0]["title"] == {"zh-CN": "师傅已出发", "en": "The technician is on the way"}
    assert (new[0]["subject_kind"], new[0]["subject_id"]) == ("order", "ord_1")


async def test_the_owner_of_a_wallet_is_told_at_once_of_a_device_that_may_sign(post: Post) -> None:
    ann, eve = await post.person("ann"), await post.person("eve")
    fact = WalletDeviceAdded(device_id="wdv_1", device_name="华为 {Mate}", added_at=MONDAY)
    await post.tell(fact, to=[ann.customer])
    assert (await post.kinds(ann), await post.kinds(eve)) == (["wallet.device_added"], [])
    (notice,) = await post.told("notice.new")
    assert (notice["urgency"], notice["subject_id"]) == ("urgent", "wdv_1")
    assert notice["body"]["zh-CN"].startswith("华为 {Mate} 于 2026-01-05 10:00 开通")


async def test_a_listener_that_dies_before_its_commit_has_told_nothing_and_the_next_tells_once(post: Post) -> None:
    ann = await post.person("ann")
    await post.tell(changed("accept"), to=[ann.customer])
    await post.commit((changed("depart"), [ann.customer]), (changed("arrive"), [ann.customer]))

    async def dies(tx: Any) -> None:
        facts = await outbox.after_of(tx, ["order.changed"], after=0, upto=100, limit=100)
        assert len(await hearing.hear(tx, facts[1:], post.senders.terms)) == 2
        raise ConnectionError

    try:
        await post.db.run(dies)
    except ConnectionError:
        pass
    assert await post.kinds(ann) == ["order.accepted"]
    await post.listener.drain()
    await post.listener.drain()
    assert await post.kinds(ann) == ["order.accepted", "order.departed", "order.arrived"]
    assert len(await post.told("notice.new")) == 3


async def test_a_fact_heard_again_is_told_no_second_time(post: Post) -> None:
    ann = await post.person("ann")
    await post.tell(changed("depart"), to=[ann.customer])
    async with post.db.begin() as tx:
        await tx.execute("UPDATE notice_place SET seq = 0")
    await post.listener.drain()
    await post.run()
    assert await post.kinds(ann) == ["order.departed"]
    assert post.titles(ann) == ["师傅已出发"]
    assert len(await post.told("notice.new")) == 1


async def test_listeners_of_many_processes_tell_everything_once(post: Post) -> None:
    people = [await post.person(f"p{n}", platform=None) for n in range(5)]
    for n in range(40):
        await post.commit((changed("accept", order_id=f"ord_{n}"), [one.customer for one in people]))
    listeners = [Listener(post.db, post.senders.terms) for _ in range(6)]

    async def listen(listener: Listener) -> None:
        for _ in range(10):
            await listener.drain()

    await asyncio.gather(*(listen(one) for one in listeners))
    await post.listener.drain()
    for person in people:
        told = [notice.subject_id for notice in reversed(await post.inbox(person))]
        assert sorted(told) == sorted(f"ord_{n}" for n in range(40))
    assert len(await post.told("notice.new")) == 200


async def test_the_first_listener_begins_with_what_comes_and_not_with_what_was(post: Post) -> None:
    ann = await post.person("ann")
    async with post.db.begin() as tx:
        await tx.execute("DELETE FROM notice_place")  # as before the first start
    await post.tell(changed("arrive"), to=[ann.customer])
    assert await post.kinds(ann) == []
    await post.tell(changed("leave"), to=[ann.customer])
    assert await post.kinds(ann) == ["order.completed"]


async def test_a_fact_that_cannot_be_heard_silences_nobody_and_is_kept_for_later(post: Post) -> None:
    ann = await post.person("ann")
    await post.listener.drain()
    async with post.db.begin() as tx:  # a fact of another version: a field is missing
        tx.tell(changed("accept"), to=[ann.customer])
    async with post.db.begin() as tx:
        await tx.execute("""UPDATE outbox SET body = '{"verb": "depart"}'""")
    await post.commit((changed("arrive"), [ann.customer]), (changed("leave"), [ann.customer]))
    await post.listener.drain()
    assert await post.kinds(ann) == ["order.arrived", "order.completed"]
    async with post.db.begin() as tx:
        waiting = await tx.fetch("SELECT kind FROM jobs WHERE kind = 'reach.hear'")
    assert len(waiting) == 1
    await post.run()
    async with post.db.begin() as tx:
        assert "KeyError" in await tx.fetchval("SELECT last_error FROM jobs WHERE kind = 'reach.hear'")
        whole = r"{\"verb\": \"depart\", \"who\": \"technician\", \"order_id\": \"o\"}"
        broken = r"{\"verb\": \"depart\"}"
        await tx.execute("UPDATE jobs SET payload = replace(payload, $1, $2) WHERE kind = 'reach.hear'", broken, whole)
    await post.run(seconds=5)
    assert sorted(await post.kinds(ann)) == ["order.arrived", "order.completed", "order.departed"]


async def test_an_offer_is_news_until_it_ends(post: Post) -> None:
    tom = await post.person("tom", is_worker=True)
    await post.tell(offer(tom, 1, post=post), to=[tom.worker])
    assert (await post.kinds(tom), await post.unread(tom)) == (["offer.made"], 0)  # by the hundred: no bell counts it
    closed = OfferClosed(offer_id="ofr_1", call_id="cal_1", state="lost", reason="taken")
    await post.tell(closed, to=[tom.worker])
    await post.run()
    assert post.titles(tom) == []  # it had gone before it was sent
    assert await post.states() == ["dropped"]
    assert await post.unread(tom) == 0
    # One that ends in the batch it came in, and one that ends by time.
    ended = OfferClosed(offer_id="ofr_2", call_id="cal_1", state="lost", reason="taken")
    await post.commit((offer(tom, 2, post=post), [tom.worker]), (ended, [tom.worker]),
                      (offer(tom, 3, post=post), [tom.worker]))  # fmt: skip
    await post.listener.drain()
    await post.run()
    assert len(post.titles(tom)) == 1
    assert post.simulator.sent[0].raw["options"]["time_to_live"] == 299
    assert [notice.read_at is None for notice in await post.inbox(tom)] == [True, False, False]
    await post.run(minutes=6)
    assert await post.kinds(tom) == []


async def test_staff_on_duty_and_their_group_hear_of_a_failed_payment(post: Post) -> None:
    """HS-053, HS-200."""
    sue, sam = await post.person("sue"), await post.person("sam")
    async with post.db.begin() as tx:
        for person in (sue, sam):
            await desk.add_agent(tx, person.account_id, name=person.name, chats_max=2)
        await tx.execute("UPDATE agent_load SET duty_until = $2 WHERE agent_id = $1", sam.account_id, tx.now)
    await post.listener.drain()
    case = await post.db.run(
        cases.open_case, type="payment_failed", line="homeservice", subject_kind="order", subject_id="ord_1",
        due_at=MONDAY, priority=4, title="A payment failed",
    )  # fmt: skip
    await post.relay()
    await post.listener.drain()
    await post.run()
    assert (await post.kinds(sue), await post.kinds(sam)) == (["case.payment_failed"], [])
    assert post.titles(sue) == ["付款失败"]
    assert [sending.title for sending in post.to("group")] == ["付款失败"]
    assert [one.account_id for one in await post.deliveries(channel="wecom")] == [ROOM]
    names = ("case_id", "type", "line", "subject_kind", "subject_id", "title", "state", "stage", "priority", "due_at",
             "opened_at", "taken_by", "version")  # fmt: skip
    values = {name: getattr(case, "id" if name == "case_id" else name) for name in names}
    await post.tell(CaseClosed(**values, outcome="paid", closed_by=sue.account_id), to=["desk"])
    assert await post.unread(sue) == 0


async def test_who_is_on_duty_hears_however_many_are_not(post: Post) -> None:
    async with post.db.begin() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")  # agents without accounts of theirs
        await tx.execute(
            """
            WITH many AS (INSERT INTO desk_agents (id, name, created_at, changed_at)
                          SELECT 'acc_00' || n, n::text, $1, $1 FROM generate_series(1, 250) AS n RETURNING id)
            INSERT INTO agent_load (agent_id, cap, present_until, duty_from, duty_until)
            SELECT id, 2, $1, $1, $1 FROM many
            """,
            tx.now,
        )
    sue = await post.person("sue")
    async with post.db.begin() as tx:
        await desk.add_agent(tx, sue.account_id, name=sue.name, chats_max=2)
    await post.listener.drain()
    await post.db.run(
        cases.open_case, type="payment_failed", line="homeservice", subject_kind="order", subject_id="ord_1",
        due_at=MONDAY, priority=4, title="A payment failed",
    )  # fmt: skip
    await post.relay()
    await post.listener.drain()
    assert await post.kinds(sue) == ["case.payment_failed"]


async def test_only_a_given_coupon_is_told(post: Post) -> None:
    ann = await post.person("ann")
    await post.listener.drain()
    for source in ("claim", "gift"):
        fact = CouponIssued(
            coupon_id=f"cpn_{source}", template_id="ctp_1", name={"zh-CN": "新人券", "en": "Welcome"}, source=source,
            valid_from=MONDAY, valid_until=MONDAY + timedelta(days=1),
        )  # fmt: skip
        await post.tell(fact, to=[ann.customer])
    assert [notice.subject_id for notice in await post.inbox(ann)] == ["cpn_gift"]
    await post.run()
    assert [sending.text for sending in post.simulator.sent] == ["新人券，有效期至 2026-01-06 10:00"]


async def test_the_devices_of_a_session_go_with_it(post: Post) -> None:
    """HS-199, and signing out."""
    ann = await post.person("ann")
    await post.tell(changed("accept"), to=[ann.customer])
    await post.db.run(end_sessions, ann.account_id, [ann.session_id], "signed_out")
    await post.run()  # not yet heard, and already nobody's
    assert post.titles(ann) == []
    assert await post.states() == ["dropped"]
    await post.relay()
    await post.listener.drain()
    async with post.db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM push_devices") == 0
    await post.tell(changed("depart"), to=[ann.customer])
    assert await post.kinds(ann) == ["order.accepted", "order.departed"]  # the inbox goes on


async def test_old_notices_are_forgotten_with_their_deliveries(post: Post) -> None:
    ann = await post.person("ann")
    await post.listener.drain()
    await post.tell(changed("accept"), to=[ann.customer])
    await post.run()
    from rest.reach import begin_pruning

    await post.run(hours=24 * 89)
    await post.tell(changed("depart"), to=[ann.customer])
    await post.run(hours=25)
    await post.db.run(begin_pruning)
    await post.run()
    assert await post.kinds(ann) == ["order.departed"]
    assert len(await post.deliveries()) == 1
