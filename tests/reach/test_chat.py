"""Messages nobody's device has taken: pushed once, together, and not when they were taken meanwhile."""

from __future__ import annotations

from chat import conversations
from chat.conversations import Reader, Role, Staff
from tests.conversations.talk import notes, says
from tests.reach.conftest import Person, Post


async def talk(post: Post) -> tuple[Person, Person, str]:
    """Ann and agent Sue in a conversation."""
    ann, sue = await post.person("ann"), await post.person("sue")
    conversation, _ = await post.db.run(conversations.open_conversation, customer_id=ann.account_id)
    await post.db.run(conversations.join, conversation.id, sue.account_id, Role.AGENT)
    await heard(post)
    return ann, sue, conversation.id


async def heard(post: Post) -> None:
    await post.relay()
    await post.listener.drain()


def reader(person: Person, *, staff: bool = False) -> Reader:
    return Reader(person.account_id, Staff() if staff else None)


async def test_ten_messages_are_one_push(post: Post) -> None:
    ann, sue, where = await talk(post)
    for n in range(10):
        await says(post.db, reader(sue, staff=True), where, f"line {n}")
        await heard(post)
        await post.run(seconds=0.4)
    assert post.titles(ann) == []
    await post.run(seconds=2)
    assert [(one.title, one.text) for one in post.to("android-of-ann")] == [("新消息", "您有 10 条未读消息")]
    assert post.titles(sue) == []  # nobody is told of what he said himself
    assert await post.kinds(ann) == ["chat.waiting"]
    await post.run(minutes=10)
    assert len(post.titles(ann)) == 1
    assert "line" not in str(post.simulator.sent)


async def test_what_a_device_has_taken_is_not_pushed(post: Post) -> None:
    ann, sue, where = await talk(post)
    said = await says(post.db, reader(sue, staff=True), where, "hello")
    await heard(post)
    await post.db.run(conversations.mark_read, reader(ann), where, delivered_seq=said.seq)
    await post.run(seconds=6)
    assert (post.titles(ann), await post.kinds(ann)) == ([], [])
    await says(post.db, reader(sue, staff=True), where, "and again")  # the phone is off by now
    await heard(post)
    await post.run(seconds=6)
    assert [one.text for one in post.to("android-of-ann")] == ["您有 1 条未读消息"]


async def test_what_was_pushed_is_pushed_again_only_with_something_new_and_later(post: Post) -> None:
    ann, sue, where = await talk(post)
    await says(post.db, reader(sue, staff=True), where, "one")
    await heard(post)
    await post.run(seconds=6)
    await says(post.db, reader(sue, staff=True), where, "two")
    await heard(post)
    await post.run(seconds=6)
    assert len(post.titles(ann)) == 1
    await post.run(seconds=60)
    assert [one.text for one in post.to("android-of-ann")] == ["您有 1 条未读消息", "您有 2 条未读消息"]
    assert (len(await post.inbox(ann)), await post.unread(ann)) == (2, 1)  # the newer one says it all


async def test_what_was_said_before_the_look_but_heard_after_it_is_pushed_once(post: Post) -> None:
    ann, sue, where = await talk(post)
    await says(post.db, reader(sue, staff=True), where, "one")
    await heard(post)
    await says(post.db, reader(sue, staff=True), where, "two")
    await post.run(seconds=6)
    await heard(post)
    await post.run(seconds=70)
    assert [one.text for one in post.to("android-of-ann")] == ["您有 2 条未读消息"]


async def test_reading_anywhere_takes_the_notice_back(post: Post) -> None:
    ann, sue, where = await talk(post)
    said = await says(post.db, reader(sue, staff=True), where, "hello")
    await heard(post)
    post.clock.advance(seconds=6)
    job = (await post.runner.claim(limit=1))[0]  # only the look
    await post.runner.fire(job)
    assert await post.unread(ann) == 1
    await post.db.run(conversations.mark_read, reader(ann), where, read_seq=said.seq)
    await heard(post)
    await post.run()
    assert (post.titles(ann), await post.unread(ann), await post.states()) == ([], 0, ["dropped"])


async def test_notes_of_staff_wake_no_customer(post: Post) -> None:
    ann, sue, where = await talk(post)
    await notes(post.db, reader(sue, staff=True), where)
    await heard(post)
    await post.run(seconds=6)
    assert (post.titles(ann), await post.kinds(ann)) == ([], [])
