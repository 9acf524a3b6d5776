"""Deliveries asked of pretended providers over real HTTP: taken, refused, put off, lost answers, dead processes."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from typing import Any

import pytest

from rest.people.senders import NotSent
from rest.reach import code_sender, open_senders
from rest.reach.actions import sending
from rest.reach.model import Channel
from rest.reach.senders.aliyun import canonical, sign
from rest.reach.senders.contract import Sent, Ticket
from storage.base.settings import Settings
from storage.jobs import JobRunner
from tests.reach.conftest import Person, Post, changed


async def departs(post: Post, person: Person) -> None:
    """An urgent fact that goes over everything."""
    await post.tell(changed("depart"), to=[person.customer])


async def test_each_provider_gets_what_its_protocol_wants(post: Post) -> None:
    ann = await post.person("ann")
    await post.device(ann, platform="ios")
    await post.device(ann, platform="wechat")
    await departs(post, ann)
    await post.run()
    android, ios, wechat = (post.to(f"{name}-of-ann")[0].raw for name in ("android", "ios", "wechat"))
    sms = post.to(ann.phone.removeprefix("+86"))[0].raw
    notice = (await post.inbox(ann))[0]
    extras = android["notification"]["android"]["extras"]
    assert (extras["notice_id"], extras["kind"], extras["subject_id"]) == (notice.id, "order.departed", "ord_1")
    assert (android["platform"], android["notification"]["android"]["priority"]) == (["android"], 2)
    assert android["cid"] != ios["cid"]
    assert ios["notification"]["ios"]["alert"] == {"title": "师傅已出发", "body": "可在订单页查看师傅的实时位置"}
    assert ios["options"] == {"time_to_live": 86_400, "apns_production": True}
    assert wechat["data"] == {"thing1": {"value": "师傅已出发"}, "thing2": {"value": "可在订单页查看师傅的实时位置"}}
    assert (sms["Action"], sms["SignName"], sms["TemplateParam"]) == ("SendSms", "嘀咚", "{}")
    assert sorted((one.channel.value, one.state.value) for one in await post.deliveries()) == [
        ("push", "sent"), ("push", "sent"), ("sms", "sent"), ("wechat", "sent"),
    ]  # fmt: skip
    assert len(post.simulator.sent) == 4


async def test_words_are_in_the_language_of_whoever_is_told(post: Post) -> None:
    ann = await post.person("ann")
    await post.wish(ann, language="en")
    await departs(post, ann)
    await post.run()
    assert post.titles(ann) == ["The technician is on the way"]


def test_the_signature_is_the_one_alibaba_publishes() -> None:
    """The example of the documentation of its signature mechanism."""
    question = {
        "AccessKeyId": "testId", "Action": "SendSms", "Format": "XML", "OutId": "123", "PhoneNumbers": "15300000001",
        "RegionId": "cn-hangzhou", "SignName": "阿里云短信测试专用", "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": "45e25e9b-0a6f-4070-8c85-2956eda1b466", "SignatureVersion": "1.0",
        "TemplateCode": "SMS_71390007", "TemplateParam": '{"customer":"test"}', "Timestamp": "2017-07-12T02:42:19Z",
        "Version": "2017-05-25",
    }  # fmt: skip
    assert sign("GET", question, "testSecret") == "zJDF+Lrzhj/ThnlvIToysFRq6t4="
    assert canonical({"b": "a b*~", "a": "+"}) == "a=%2B&b=a%20b%2A~"


PROVIDERS = {
    Channel.PUSH: ("jpush", "android-of-ann"), Channel.WECHAT: ("wechat", "wechat-of-ann"),
    Channel.SMS: ("aliyun", ""), Channel.WECOM: ("wecom", "group"),
}  # fmt: skip


async def alone(post: Post, channel: Channel) -> Person:
    """Somebody who hears over this channel alone."""
    ann = await post.person("ann", platform={Channel.PUSH: "android", Channel.WECHAT: "wechat"}.get(channel))
    others = set(Channel) - {channel}
    await post.wish(ann, muted=[f"order/{other.value}" for other in others])
    return ann


@pytest.mark.parametrize("channel", [Channel.PUSH, Channel.SMS])
async def test_an_answer_that_was_lost_makes_no_second_message(post: Post, channel: Channel) -> None:
    """The provider did the work and we never heard of it: it is asked again under the same number."""
    ann = await alone(post, channel)
    name, _ = PROVIDERS[channel]
    post.simulator.faults[f"{name}.drop"] = 2
    await departs(post, ann)
    await post.pass_by(steps=5, seconds=4)
    assert post.simulator.asked[name] == 3
    assert len(post.simulator.sent) == 1
    assert await post.states() == ["sent"]


@pytest.mark.parametrize("channel", [Channel.PUSH, Channel.SMS])
async def test_a_process_that_dies_between_sending_and_writing_sends_once(post: Post, channel: Channel) -> None:
    ann = await alone(post, channel)
    await departs(post, ann)
    (delivery,) = await post.deliveries()

    async def send_and_die() -> None:
        """What the job does, up to the line before it writes the answer."""
        sender = post.senders.find(channel)
        assert sender is not None
        envelope = await post.db.run(sending.prepare, delivery.id, 0)
        assert envelope is not None
        answer = await sender.send(envelope)
        if isinstance(answer, Ticket):
            ticket = await post.db.run(sending.keep_ticket, delivery.id, 0, answer.text)
            answer = await sender.send(replace(envelope, ticket=ticket))
        assert isinstance(answer, Sent)

    await send_and_die()
    await send_and_die()
    assert await post.states() == ["queued"]
    await post.run()
    assert await post.states() == ["sent"]
    assert len(post.simulator.sent) == 1


async def test_two_runners_with_one_delivery_send_it_once(post: Post) -> None:
    """A job whose lease ran out is started again while the first still runs."""
    ann = await alone(post, Channel.PUSH)
    await departs(post, ann)
    (delivery,) = await post.deliveries()
    job = post.runner._outside["reach.send"]
    await asyncio.gather(*(job({"delivery_id": delivery.id, "attempt": 0}) for _ in range(8)))
    assert len(post.simulator.sent) == 1
    assert (await post.deliveries())[0].attempts == 1


@pytest.mark.parametrize("channel", [Channel.PUSH, Channel.WECHAT, Channel.SMS])
async def test_a_provider_that_is_down_gets_it_when_it_is_back(post: Post, channel: Channel) -> None:
    """HS-204: push is retried."""
    ann = await alone(post, channel)
    name, _ = PROVIDERS[channel]
    post.simulator.faults[f"{name}.down"] = -1
    await departs(post, ann)
    await post.run()
    assert ([one.attempts for one in await post.deliveries()], await post.unread(ann)) == ([1], 1)
    await post.pass_by(steps=3, seconds=2)
    post.simulator.faults[f"{name}.down"] = 0
    await post.pass_by(steps=4, seconds=8)
    assert await post.states() == ["sent"]
    assert len(post.simulator.sent) == 1


async def test_in_the_end_it_is_given_up_and_said_so(post: Post, logged: io.StringIO) -> None:
    ann = await alone(post, Channel.PUSH)
    post.simulator.faults["jpush.down"] = -1
    await departs(post, ann)
    await post.pass_by(steps=9, seconds=130)
    (delivery,) = await post.deliveries()
    assert (delivery.state.value, delivery.attempts, delivery.problem) == ("given_up", 7, "jpush answered 503, None")
    assert '"delivery.given_up"' in logged.getvalue()
    assert await post.unread(ann) == 1  # the inbox has it
    async with post.db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM jobs WHERE kind = 'reach.send'") == 0


@pytest.mark.parametrize("channel", [Channel.PUSH, Channel.WECHAT, Channel.SMS])
async def test_a_provider_that_limits_us_is_left_alone_for_as_long_as_it_says(post: Post, channel: Channel) -> None:
    ann = await alone(post, channel)
    name, _ = PROVIDERS[channel]
    post.simulator.faults[f"{name}.limit"] = 1
    await departs(post, ann)
    await post.run()
    wait_s = {Channel.PUSH: 7, Channel.WECHAT: 30, Channel.SMS: 60}[channel]
    await post.run(seconds=wait_s - 1)
    assert post.simulator.asked[name] == 1
    await post.run(seconds=1)
    assert (await post.states(), len(post.simulator.sent)) == (["sent"], 1)


async def test_a_device_the_provider_does_not_know_is_forgotten(post: Post) -> None:
    ann = await post.person("ann", platform="android")
    await post.device(ann, platform="ios")
    await post.device(ann, platform="wechat")
    await post.wish(ann, muted=["order/sms"])
    post.simulator.jpush.gone.add("android-of-ann")
    post.simulator.wechat.strangers.add("wechat-of-ann")
    await departs(post, ann)
    await post.run()
    assert sorted(await post.states()) == ["failed", "failed", "sent"]
    async with post.db.begin() as tx:
        left = await tx.fetch("SELECT platform FROM push_devices")
    assert [row["platform"] for row in left] == ["ios"]


async def test_somebody_who_has_not_agreed_keeps_the_device(post: Post) -> None:
    ann = await alone(post, Channel.WECHAT)
    post.simulator.wechat.unwilling.add("wechat-of-ann")
    await departs(post, ann)
    await post.run()
    (delivery,) = await post.deliveries()
    assert (delivery.state.value, delivery.problem) == ("failed", "wechat 43101")
    async with post.db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM push_devices") == 1


async def test_a_token_of_wechat_is_kept_and_replaced_when_it_is_no_good(post: Post) -> None:
    ann = await alone(post, Channel.WECHAT)
    for n in range(3):
        await post.tell(changed("depart", order_id=f"ord_{n}"), to=[ann.customer])
    await post.run()
    assert (post.simulator.asked["token"], len(post.simulator.sent)) == (1, 3)
    post.simulator.wechat.forget_token()  # somebody else has asked for one
    await post.tell(changed("depart", order_id="ord_3"), to=[ann.customer])
    await post.run()
    assert (post.simulator.asked["token"], len(post.simulator.sent)) == (2, 4)
    post.clock.advance(hours=3)  # it ends by itself
    await post.tell(changed("depart", order_id="ord_4"), to=[ann.customer])
    await post.run()
    assert (post.simulator.asked["token"], len(post.simulator.sent)) == (3, 5)


async def test_a_robot_takes_twenty_a_minute_and_gets_the_rest_later(post: Post) -> None:
    from chat import cases
    from tests.conftest import MONDAY

    for n in range(25):
        await post.db.run(
            cases.open_case, type="payment_failed", line="homeservice", subject_kind="order", subject_id=f"ord_{n}",
            due_at=MONDAY, priority=4, title="A payment failed",
        )  # fmt: skip
    await post.relay()
    await post.listener.drain()
    await post.run()
    assert len(post.to("group")) == 20
    await post.run(seconds=61)
    assert len(post.to("group")) == 25
    assert {sent.text for sent in post.to("group")} >= {"订单付款失败，请跟进\n" + one.subject_id
                                                        for one in await notices_of_the_group(post)}  # fmt: skip


async def notices_of_the_group(post: Post) -> Any:
    from rest.reach.store import notices

    async with post.db.begin() as tx:
        return await notices.page(tx, "group:support", unread=False, kind=None, before=None, limit=5)


async def test_texts_of_a_day_are_limited_for_each_and_for_all(post: Post) -> None:
    terms = replace(post.senders.terms, sms_account_day_max=2, sms_day_max=3)
    post.listener._terms = terms
    ann, bob = await post.person("ann", platform=None), await post.person("bob", platform=None)
    for n in range(4):
        await post.tell(changed("depart", order_id=f"ord_{n}"), to=[ann.customer, bob.customer])
    await post.run()
    by_phone = {person.name: len(post.to(person.phone.removeprefix("+86"))) for person in (ann, bob)}
    assert (by_phone["ann"], sum(by_phone.values())) == (2, 3)
    assert (await post.unread(ann), await post.unread(bob)) == (4, 4)
    post.clock.advance(hours=15)  # past midnight in Shanghai
    await post.tell(changed("depart", order_id="ord_9"), to=[ann.customer])
    await post.run()
    assert len(post.to(ann.phone.removeprefix("+86"))) == 3


async def test_no_number_no_token_and_no_word_is_kept_or_logged(post: Post, logged: io.StringIO) -> None:
    ann = await post.person("ann")
    for fault in ("jpush.down", "aliyun.down", "jpush.drop", "aliyun.drop", "aliyun.limit"):
        post.simulator.faults[fault] = 1
    await departs(post, ann)
    await post.pass_by(steps=8, seconds=70)
    post.simulator.jpush.gone.add("android-of-ann")
    post.simulator.aliyun.bad_numbers.add(ann.phone.removeprefix("+86"))
    await post.tell(changed("arrive"), to=[ann.customer])
    await post.run()
    async with post.db.begin() as tx:
        kept = [str(dict(row)) for row in await tx.fetch("SELECT * FROM deliveries")]
        kept += [str(dict(row)) for row in await tx.fetch("SELECT * FROM jobs")]
    assert "delivery.failed" in logged.getvalue()
    for secret in (
        ann.phone,
        ann.phone.removeprefix("+86"),
        "android-of-ann",
        "师傅",
        post.simulator.jpush._identity.jpush_secret,
    ):
        assert secret not in logged.getvalue()
        assert secret not in "".join(kept)


async def test_sign_in_codes_go_by_the_same_texts(post: Post, settings: Settings) -> None:
    found = replace(post.settings, aliyun_code_template="SMS_7")
    senders = open_senders(found, post.clock)
    sender = code_sender(found, senders, post.clock)
    await sender.send("+8613800138000", "123456", ttl_s=300)
    assert [(one.address, one.title, one.text) for one in post.simulator.sent] == [
        ("13800138000", "SMS_7", "code=123456, minutes=5")
    ]
    post.simulator.faults["aliyun.down"] = 1
    with pytest.raises(NotSent) as problem:
        await sender.send("+8613800138000", "654321", ttl_s=300)
    assert "654321" not in str(problem.value)
    await senders.close()


async def test_settings_of_half_a_channel_are_refused(post: Post, settings: Settings) -> None:
    with pytest.raises(ValueError, match="FIELDHUB_JPUSH_SECRET_FILE"):
        replace(settings, jpush_app_key="x").check()
    with pytest.raises(ValueError, match=r"no\.kind"):
        open_senders(replace(post.settings, aliyun_sms_templates="no.kind=SMS_1"), post.clock)
    with pytest.raises(ValueError, match="kind=template"):
        open_senders(replace(post.settings, aliyun_sms_templates="order.departed"), post.clock)
    senders = open_senders(settings, post.clock)
    assert [senders.find(channel) for channel in Channel] == [None] * 4


async def test_a_hanging_provider_keeps_no_deadline_waiting(post: Post, clock: Any) -> None:
    """HS-204. As the process runs it: sends have a runner of their own, orders and deadlines another."""
    post.simulator.faults["jpush.hang"] = -1
    ann = await alone(post, Channel.PUSH)
    for n in range(30):
        await post.tell(changed("depart", order_id=f"ord_{n}"), to=[ann.customer])
    fired: list[float] = []
    loop = asyncio.get_running_loop()

    async def rings(_tx: Any, payload: dict[str, Any]) -> None:
        fired.append(loop.time() - payload["set_at"])

    settings = replace(post.settings, jobs_parallel_max=4)
    sends = JobRunner(post.db, settings, {}, outside={"reach.send": post.runner._outside["reach.send"]}, is_poked=False)
    rest = JobRunner(post.db, settings, {"test.rings": rings})
    stop = asyncio.Event()
    running = [asyncio.create_task(one.run(stop)) for one in (sends, rest)]
    while post.simulator.asked["jpush"] < 4:
        await asyncio.sleep(0.01)
    for n in range(20):
        async with post.db.begin() as tx:
            tx.schedule("test.rings", f"ring:{n}", tx.now, {"set_at": loop.time()})
    while len(fired) < 20:
        await asyncio.sleep(0.01)
    assert max(fired) < 0.2 + 0.3  # less than one call may hang here, on a busy machine too
    assert {one.state.value for one in await post.deliveries()} == {"queued"}
    stop.set()
    post.simulator.released.set()
    await asyncio.gather(*running)
