"""Talking on a real database: opening, saying, repeating, changing, answering twice, marks, missing and finding."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chat import conversations
from chat.conversations import AnsweredMeanwhile, Content, Kind, Reader, Role, Sought
from chat.conversations.model import DELTAS_MAX
from storage import files
from storage.base import codec
from storage.base.clock import ManualClock
from storage.base.errors import NotFound
from storage.postgres import Database
from tests.conversations.talk import (
    ANN,
    BOB,
    LEAD,
    ORDER,
    SAM,
    SUE,
    TIA,
    TLEAD,
    TOM,
    agent_joins,
    code_of,
    faults,
    notes,
    opened,
    says,
    texts,
    told,
)


@pytest.fixture(autouse=True)
async def _whole(db: Database) -> Any:
    """Whatever a test does, the invariants hold after it."""
    yield
    async with db.begin() as tx:
        assert await faults(tx) == []


# Opening


async def test_one_open_conversation_per_customer_and_subject(db: Database) -> None:
    """FR-125, HS-198: about an order and about none are two; closing makes room."""
    first = await opened(db, subject=ORDER)
    assert await opened(db, subject=ORDER) == first
    others = [
        await opened(db),
        await opened(db, BOB, subject=ORDER),
        await opened(db, subject=ORDER, tenant_id="ten_a"),
    ]
    assert len({first, *others}) == 4
    assert await opened(db) == others[0]
    await db.run(conversations.close_conversation, first)
    again = await opened(db, subject=ORDER)
    assert again != first
    assert (await db.run(conversations.reopen_conversation, first)).id == again
    heard = [(topic, to) for topic, _, to in await told(db) if topic == "conversation.opened"]
    assert heard[0] == ("conversation.opened", ["support", "customer:acc_ann"])
    assert heard[3] == ("conversation.opened", ["support:ten_a", "customer:acc_ann"])


async def test_opening_at_once_opens_one(db: Database) -> None:
    assert len(set(await asyncio.gather(*(opened(db, subject=ORDER) for _ in range(16))))) == 1


async def test_closed_is_closed_but_for_notes_and_the_system(db: Database) -> None:
    where = await opened(db)
    first = await says(db, ANN, where, "hello", client_id="c1")
    await db.run(conversations.close_conversation, where)
    assert await code_of(says(db, ANN, where, "one more")) == "conversation_closed"
    assert await code_of(says(db, SUE, where, "too late")) == "conversation_closed"
    assert (await says(db, ANN, where, "hello", client_id="c1")).seq == first.seq  # what was acknowledged stays so
    assert (await notes(db, SUE, where)).seq == 2
    assert (await db.run(conversations.say_system, where, "Closed.")).seq == 3
    assert await code_of(db.run(conversations.close_conversation, where)) == "conversation_state"
    await db.run(conversations.reopen_conversation, where)
    assert (await says(db, ANN, where, "one more")).seq == 4


# Saying


async def test_a_message_is_told_to_everybody_in_it_and_a_note_to_staff(db: Database) -> None:
    """C7."""
    where = await opened(db)
    await says(db, ANN, where, "hello")
    await db.run(conversations.set_assignee, where, SUE.account_id, 1)
    await db.run(conversations.join, where, TOM.account_id, Role.WORKER, audience="worker:wrk_1")
    await db.run(conversations.join, where, LEAD.account_id, Role.OBSERVER)
    await says(db, SUE, where, "good day")
    await notes(db, SUE, where)
    said = [(topic, body["text"], to) for topic, body, to in await told(db) if topic.startswith("message.")]
    everybody = {"customer:acc_ann", "agent:acc_sue", "worker:wrk_1", "agent:acc_lead"}
    assert [(topic, text, set(to)) for topic, text, to in said] == [
        ("message.said", "hello", {"customer:acc_ann", "support"}),
        ("message.said", "good day", everybody),
        ("message.noted", "he is rude", {"agent:acc_sue", "agent:acc_lead"}),
    ]
    came = [(body["account_id"], set(to)) for topic, body, to in await told(db) if topic == "conversation.joined"]
    assert came[1:] == [
        ("acc_tom", {"support", "agent:acc_sue", "customer:acc_ann", "worker:wrk_1"}),
        ("acc_lead", {"support", "agent:acc_sue", "agent:acc_lead"}),
    ]


async def test_a_message_sent_twice_is_there_once(db: Database, clock: ManualClock) -> None:
    """C1: from the same device, from many connections at once, and much later; but a colleague's is another one."""
    where = await opened(db)
    sent = await asyncio.gather(*(says(db, ANN, where, "hello", client_id="c1") for _ in range(12)))
    assert {one.seq for one in sent} == {1}
    assert [one.is_dup for one in sent].count(False) == 1
    clock.advance(hours=720)
    later = await says(db, ANN, where, "hello", client_id="c1")
    assert (later.seq, later.is_dup, later.at) == (1, True, sent[0].at)
    assert (await says(db, SUE, where, "hello", client_id="c1")).seq == 2
    assert len([topic for topic, _, _ in await told(db) if topic == "message.said"]) == 2


async def test_many_at_once_have_one_order_without_a_hole(db: Database) -> None:
    """C2, C3: three people on sixteen connections, every message sent twice."""
    where = await opened(db)
    await agent_joins(db, where)
    await db.run(conversations.join, where, TOM.account_id, Role.WORKER, audience="worker:wrk_1")
    sends = [(who, f"{who.account_id} {n}") for n in range(20) for who in (ANN, SUE, TOM)]
    said = await asyncio.gather(*(says(db, who, where, text) for who, text in sends + sends[::-1]))
    assert sorted({one.seq for one in said}) == list(range(1, 61))
    assert await texts(db, ANN, where) == await texts(db, SUE, where) == await texts(db, TOM, where)
    async with db.begin() as tx:
        facts = await tx.fetch(
            "SELECT body::jsonb ->> 'message_seq' AS seq FROM outbox WHERE topic = 'message.said' ORDER BY id"
        )
    assert [int(row["seq"]) for row in facts] == list(range(1, 61))


async def test_time_does_not_go_back_where_clocks_differ(db: Database, pg_url: str) -> None:
    """C2: a message said through a process whose clock is behind comes at the instant of the one before it."""
    where = await opened(db)
    first = await says(db, ANN, where, "a")
    behind = await Database.connect(pg_url, clock=ManualClock(first.at - timedelta(seconds=3)), pool_size=1)
    assert (await says(behind, ANN, where, "b")).at == first.at
    await behind.close()


async def test_holes_of_notes_are_told_from_losses(db: Database) -> None:
    """Who does not see notes finds in each message the one before it that he does see."""
    where = await opened(db)
    for text in ("a", "b"):
        await says(db, ANN, where, text)
        await notes(db, SUE, where, f"note {text}")
    await says(db, SUE, where, "c")
    async with db.begin() as tx:
        chain = [
            (m.prev_seq, m.seq) for m in await conversations.history(tx, ANN, where, is_oldest_first=True, limit=9)
        ]
    assert chain == [(0, 1), (1, 3), (3, 5)]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (Content(text="x" * 4_001), "message_too_long"),
        (Content(text="  "), "message_empty"),
        (Content(kind=Kind.SYSTEM, text="I am the system"), "message_empty"),
        (Content(kind=Kind.NOTE, text="a note by a customer"), "read_only"),
        (Content(text="hi", is_internal=True), "read_only"),
        (Content(text="re", reply_to=99), "reply_unknown"),
        (Content(text="re a note", reply_to=2), "reply_unknown"),
        (Content(kind=Kind.IMAGE, file_id="fil_none"), "not_found"),
        (Content(text="re", reply_to=1), "ok"),
    ],
)
async def test_what_cannot_be_said(db: Database, content: Content, code: str) -> None:
    where = await opened(db)
    await says(db, ANN, where)
    await notes(db, SUE, where)
    assert await code_of(db.run(conversations.say, ANN, where, content, client_id="c1")) == code
    assert len(await texts(db, SUE, where)) == (3 if code == "ok" else 2)


async def test_an_answer_to_all_may_not_quote_a_note(db: Database) -> None:
    where = await opened(db)
    await notes(db, SUE, where)
    assert await code_of(says(db, SUE, where, "see above", reply_to=1)) == "reply_unknown"
    assert (await says(db, SUE, where, "yes", kind=Kind.NOTE, reply_to=1)).seq == 2


# Two who answer


async def test_an_answer_that_crosses_another_is_held_back(db: Database) -> None:
    """The refusal brings the answer one had not seen; having seen it, one may send."""
    where = await opened(db)
    await says(db, ANN, where, "where is he?")
    await notes(db, SAM, where, "I look")
    await says(db, SAM, where, "He is at the gate.")
    with pytest.raises(AnsweredMeanwhile) as held:
        await says(db, SUE, where, "Ten minutes.", base_seq=1)
    assert held.value.fields["message"] == {
        "message_seq": 3, "sender_id": "acc_sam", "kind": "text", "text": "He is at the gate.",
        "at": "2026-01-05T02:00:00+00:00",
    }  # fmt: skip
    await says(db, ANN, where, "thanks")
    assert (await says(db, SUE, where, "Ten minutes.", base_seq=3)).seq == 5
    assert (await says(db, SUE, where, "Or nine.", base_seq=3)).seq == 6  # one's own answer is no news
    assert (await says(db, ANN, where, "fine", base_seq=0)).seq == 7  # customers cannot cross anybody
    assert (await notes(db, SUE, where)).seq == 8


async def test_of_two_answers_at_once_one_is_held_back(db: Database) -> None:
    where = await opened(db)
    await says(db, ANN, where, "where is he?")
    codes = await asyncio.gather(
        *(code_of(says(db, who, where, f"{who.account_id} answers", base_seq=1)) for who in (SUE, SAM, LEAD))
    )
    assert sorted(codes) == ["answered_meanwhile", "answered_meanwhile", "ok"]
    assert len(await texts(db, ANN, where)) == 2


async def test_who_was_relieved_cannot_answer(db: Database) -> None:
    """A4: by the epoch, and without naming one; epochs only grow; a supervisor may always."""
    where = await opened(db)
    await db.run(conversations.set_assignee, where, SUE.account_id, 1)
    assert (await says(db, SUE, where, "hello", assign_epoch=1)).seq == 1
    await db.run(conversations.set_assignee, where, SAM.account_id, 2)
    assert await code_of(says(db, SUE, where, "me again", assign_epoch=1)) == "stale_assignment"
    assert await code_of(says(db, SUE, where, "me again")) == "stale_assignment"
    assert (await says(db, SUE, where, "hello", assign_epoch=1)).is_dup
    assert (await notes(db, SUE, where)).seq == 2
    assert (await says(db, SAM, where, "now me", assign_epoch=2)).seq == 3
    assert (await says(db, LEAD, where, "and me", assign_epoch=1)).seq == 4
    for epoch in (1, 2):
        assert await code_of(db.run(conversations.set_assignee, where, SUE.account_id, epoch)) == "stale_assignment"
    await db.run(conversations.set_assignee, where, None, 3)
    assert await code_of(says(db, SAM, where, "still me", assign_epoch=2)) == "stale_assignment"


async def test_saying_and_relieving_at_once(db: Database) -> None:
    """Whatever comes first, no answer of an agent is written after he was relieved."""
    where = await opened(db)
    for epoch in range(1, 25, 2):
        await db.run(conversations.set_assignee, where, SUE.account_id, epoch)
        await asyncio.gather(
            *(code_of(says(db, SUE, where, f"{epoch} {n}", assign_epoch=epoch)) for n in range(3)),
            db.run(conversations.set_assignee, where, SAM.account_id, epoch + 1),
            code_of(says(db, SUE, where, f"{epoch} x")),
        )
    async with db.begin() as tx:
        rows = await tx.fetch("SELECT topic, body::jsonb AS body FROM outbox ORDER BY id")
        assignee = None
        for row in rows:
            body = codec.loads(row["body"])
            assignee = body.get("assignee_id", assignee)
            if row["topic"] == "message.said" and body["sender_id"] == "acc_sue":
                assert assignee == "acc_sue"


# Changing


async def test_edits_and_recalls_take_a_place_and_keep_the_old_one(db: Database, clock: ManualClock) -> None:
    where = await opened(db)
    await says(db, ANN, where, "room 12")
    await says(db, ANN, where, "my code is 4711")
    edited = await db.run(conversations.edit_message, ANN, where, 1, "room 21", client_id="e1")
    await db.run(conversations.edit_message, ANN, where, 2, "my code: 4711", client_id="e2")
    clock.advance(seconds=119)
    recalled = await db.run(conversations.recall_message, ANN, where, 2, client_id="r1")
    assert (edited.seq, recalled.seq) == (3, 5)
    assert (await db.run(conversations.recall_message, ANN, where, 2, client_id="r1")).is_dup
    assert await code_of(db.run(conversations.recall_message, ANN, where, 2, client_id="r2")) == "message_fixed"
    async with db.begin() as tx:
        shown = await conversations.history(tx, ANN, where, is_oldest_first=True, limit=9)
    assert [(m.seq, m.kind.value, m.target_seq, m.body) for m in shown] == [
        (1, "text", None, "room 21"), (2, "text", None, ""), (3, "edit", 1, "room 21"), (4, "edit", 2, ""),
        (5, "recall", 2, ""),
    ]  # fmt: skip
    assert shown[1].recalled_at is not None
    topics = [(topic, body.get("target_seq")) for topic, body, _ in await told(db) if topic.startswith("message.")]
    assert topics[2:] == [("message.edited", 1), ("message.edited", 2), ("message.recalled", 2)]
    async with db.begin() as tx:
        assert await conversations.search(tx, ANN, "4711") == []
        assert [m.seq for m in await conversations.search(tx, ANN, "room 21")] == [1]


@pytest.mark.parametrize(
    ("who", "seq", "code"),
    [
        (ANN, 1, "ok"),
        (SUE, 1, "message_fixed"),
        (BOB, 1, "not_found"),
        (ANN, 2, "not_found"),
        (SUE, 2, "ok"),
        (ANN, 9, "not_found"),
    ],
)
async def test_only_ones_own_message_can_be_changed(db: Database, who: Reader, seq: int, code: str) -> None:
    """The second message is a note: to the customer there is no such message."""
    where = await opened(db)
    await says(db, ANN, where)
    await notes(db, SUE, where)
    assert await code_of(db.run(conversations.recall_message, who, where, seq, client_id="r")) == code
    if seq == 2 and code == "ok":
        assert (await told(db))[-1][2] == ["support"]


async def test_what_is_two_minutes_old_stays(db: Database, clock: ManualClock) -> None:
    where = await opened(db)
    await says(db, ANN, where)
    clock.advance(seconds=121)
    assert await code_of(db.run(conversations.edit_message, ANN, where, 1, "x", client_id="e")) == "message_fixed"
    assert await code_of(db.run(conversations.recall_message, ANN, where, 1, client_id="r")) == "message_fixed"
    assert await texts(db, ANN, where) == ["hello"]


# Marks and drafts


async def test_marks_only_grow(db: Database) -> None:
    """C6."""
    where = await opened(db)
    for n in range(5):
        await says(db, SUE, where, str(n))
    marks = [(0, 3), (2, 0), (1, 1), (99, 0), (3, 4)]
    found = [await db.run(conversations.mark_read, ANN, where, read_seq=r, delivered_seq=d) for r, d in marks]
    assert [found and (found.read_seq, found.delivered_seq) for found in found] == [(0, 3), (2, 3), None, (5, 5), None]
    heard = [
        (body["read_seq"], body["delivered_seq"], to) for topic, body, to in await told(db) if topic == "message.read"
    ]
    assert heard == [(0, 3, ["customer:acc_ann"]), (2, 3, ["customer:acc_ann"]), (5, 5, ["customer:acc_ann"])]
    assert await code_of(db.run(conversations.mark_read, SUE, where, read_seq=1)) == "read_only"
    assert await code_of(db.run(conversations.mark_read, BOB, where, read_seq=1)) == "not_found"


async def test_unread_is_what_others_said_since(db: Database) -> None:
    where = await opened(db)
    await agent_joins(db, where)
    await says(db, SUE, where, "a")
    await says(db, ANN, where, "b")
    await notes(db, SUE, where)
    await says(db, SUE, where, "c")
    await db.run(conversations.edit_message, SUE, where, 4, "cc", client_id="e")
    async with db.begin() as tx:
        (own,) = await conversations.list_own(tx, ANN.account_id)
        (sams,) = await conversations.list_served(tx, SAM)
        (sues,) = await conversations.list_served(tx, SUE)
    assert (own.unread, sues.unread, sams.unread) == (2, 1, 4)
    assert (own.last.body, sues.last.body) == ("cc", "cc")
    await db.run(conversations.mark_read, ANN, where, read_seq=3)
    async with db.begin() as tx:
        assert (await conversations.list_own(tx, ANN.account_id))[0].unread == 1


async def test_drafts_are_kept_on_the_server_until_the_answer(db: Database) -> None:
    where, other = await opened(db), await opened(db, BOB)
    await db.run(conversations.save_draft, SUE, where, "Dear Ann", base_seq=0)
    await db.run(conversations.save_draft, SUE, other, "Dear Bob", base_seq=0)
    await db.run(conversations.save_draft, SUE, where, "Dear Ann,", base_seq=1)
    assert await code_of(db.run(conversations.save_draft, ANN, where, "x", base_seq=0)) == "read_only"
    await notes(db, SUE, where)

    async def drafts(who: Reader) -> list[str]:
        async with db.begin() as tx:
            return sorted(draft.body for draft in await conversations.drafts_of(tx, who))

    assert await drafts(SUE) == ["Dear Ann,", "Dear Bob"]
    assert await drafts(SAM) == []
    await says(db, SUE, where, "Dear Ann, yes.")
    assert await drafts(SUE) == ["Dear Bob"]
    await db.run(conversations.save_draft, SUE, other, "", base_seq=0)
    assert await drafts(SUE) == []


# Coming and going


async def test_who_joins_late_sees_what_he_should(db: Database) -> None:
    where = await opened(db)
    await says(db, ANN, where, "private")
    await db.run(conversations.join, where, TOM.account_id, Role.WORKER, audience="worker:wrk_1", sees_history=False)
    await says(db, ANN, where, "for tom")
    assert await texts(db, TOM, where) == ["for tom"]
    await db.run(conversations.leave, where, TOM.account_id)
    await says(db, ANN, where, "he is gone")
    assert await texts(db, TOM, where) == ["for tom"]
    assert await code_of(says(db, TOM, where)) == "read_only"
    assert (await told(db))[-1][2] == ["customer:acc_ann", "support"]
    await db.run(conversations.join, where, TOM.account_id, Role.WORKER, audience="worker:wrk_1")
    assert len(await texts(db, TOM, where)) == 3


async def test_who_is_served_never_becomes_staff_of_it(db: Database) -> None:
    """A customer who works at the desk is put into her own conversation as an agent: she stays the customer."""
    where = await opened(db, Reader(SUE.account_id))
    member = await db.run(conversations.join, where, SUE.account_id, Role.AGENT)
    assert member.role is Role.CUSTOMER
    await db.run(conversations.set_assignee, where, SUE.account_id, 1)
    await notes(db, SAM, where)
    assert await texts(db, SUE, where) == []


async def test_a_tenants_conversation_is_handed_over_and_back(db: Database) -> None:
    where = await opened(db, tenant_id="ten_a")
    await says(db, ANN, where)
    assert await texts(db, LEAD, where) == ["hello"], "supervisors of the platform look over everything"
    assert await code_of(says(db, LEAD, where, "and say nothing")) == "read_only"
    await db.run(conversations.hand_over, where, to_platform=True)
    assert await texts(db, LEAD, where) == await texts(db, TIA, where) == ["hello"]
    assert await code_of(texts(db, SUE, where)) == "not_found"
    await db.run(conversations.set_assignee, where, SUE.account_id, 1)
    assert (await says(db, SUE, where, "the platform here")).seq == 2
    await db.run(conversations.hand_over, where, to_platform=False)
    assert await code_of(texts(db, SUE, where)) == "not_found"
    assert await code_of(says(db, LEAD, where, "nor again")) == "read_only"
    assert len(await texts(db, TLEAD, where)) == 2


# Missing and finding


async def test_synchronising_gives_what_is_missing(db: Database) -> None:
    where, other, foreign = await opened(db), await opened(db, subject=ORDER), await opened(db, BOB)
    for n in range(DELTAS_MAX + 30):
        await says(db, ANN, where, str(n))
    await says(db, ANN, other, "x")
    async with db.begin() as tx:
        first = {
            delta.conversation_id: delta
            for delta in await conversations.sync(tx, ANN, {where: 20, other: 1, foreign: 0})
        }
        assert set(first) == {where, other}
        delta = first[where]
        assert ([m.seq for m in delta.messages], delta.more) == (list(range(21, 221)), True)
        assert (first[other].messages, first[other].more, first[other].last_seq) == ((), False, 1)
        (rest,) = await conversations.sync(tx, ANN, {where: 220})
        assert ([m.seq for m in rest.messages], rest.more, rest.last_seq) == (list(range(221, 231)), False, 230)


async def test_a_digest_says_how_far_each_open_conversation_is(db: Database) -> None:
    where = await opened(db)
    await agent_joins(db, where)
    await says(db, ANN, where)
    await notes(db, SUE, where)
    closed = await opened(db, subject=ORDER)
    await db.run(conversations.close_conversation, closed)
    async with db.begin() as tx:
        found = await conversations.digests(tx, [ANN, SUE, BOB])
        as_nobody = await conversations.digests(tx, [Reader(SUE.account_id)])
    assert found == {"acc_ann": {where: 1}, "acc_sue": {where: 2}}
    assert as_nobody == {}


async def test_history_pages_in_both_directions(db: Database) -> None:
    where = await opened(db)
    for n in range(1, 8):
        await says(db, ANN, where, str(n))
    async with db.begin() as tx:

        async def page(**place: Any) -> list[int]:
            return [m.seq for m in await conversations.history(tx, ANN, where, limit=3, **place)]

        assert await page() == [7, 6, 5]
        assert await page(before=5) == [4, 3, 2]
        assert await page(before=2) == [1]
        assert await page(is_oldest_first=True) == [1, 2, 3]
        assert await page(after=6, is_oldest_first=True) == [7]
        assert await page(after=7, is_oldest_first=True) == await page(after=7) == []
        assert await page(after=2, before=6) == [5, 4, 3]
        assert await page(after=2, before=5, is_oldest_first=True) == [3, 4]


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("开门", ["请开门"]), ("请开门", ["请开门"]), ("门禁", ["门禁卡"]), ("请门", []), ("开 门禁", []),
        ("ROOM", ["Room 12 请"]), ("roo", []), ("room 请", ["Room 12 请"]), ("12", ["Room 12 请"]),
        ("ｒｏｏｍ", ["Room 12 请"]),
        ("100%", ["100% sure_"]), ("sure", ["100% sure_"]),
    ],
)  # fmt: skip
async def test_search(db: Database, sought: str, found: list[str]) -> None:
    where = await opened(db)
    for text in ("请开门", "门禁卡", "开着门", "Room 12 请", "100% sure_"):
        await says(db, ANN, where, text)
    async with db.begin() as tx:
        assert [m.body for m in await conversations.search(tx, ANN, sought)] == found
        assert [m.body for m in await conversations.search(tx, SUE, sought, of=Sought(conversation_id=where))] == found
        assert await conversations.search(tx, BOB, sought) == []


async def test_search_pages_by_time_and_refuses_nothing(db: Database, clock: ManualClock) -> None:
    where, other = await opened(db), await opened(db, subject=ORDER)
    for n in range(6):
        clock.advance(seconds=n % 2)
        await says(db, ANN, where if n % 3 else other, f"the door {n}")
    async with db.begin() as tx:
        found: list[Any] = []
        while page := await conversations.search(
            tx, ANN, "door", limit=2,
            before=(found[-1].at, found[-1].conversation_id, found[-1].seq) if found else None,
        ):  # fmt: skip
            found += page
        assert sorted(m.body[-1] for m in found) == list("012345")
        assert [m.at for m in found] == sorted((m.at for m in found), reverse=True)
        with pytest.raises(conversations.NothingSought):
            await conversations.search(tx, ANN, " …! ")


# Files


async def picture(db: Database, who: Reader) -> str:
    async with db.begin() as tx:
        kept = await files.keep(
            tx, b"\xff\xd8\xff", owner_id=who.account_id, purpose="chat", media_type="image/jpeg", name="chat.jpg",
            expires_at=tx.now + timedelta(hours=24),
        )  # fmt: skip
    return kept.id


async def test_a_file_is_seen_by_who_sees_its_message(db: Database, clock: ManualClock) -> None:
    where, other = await opened(db), await opened(db, BOB)
    shown, noted = await picture(db, ANN), await picture(db, SUE)
    await says(db, ANN, where, "", client_id="c1", kind=Kind.IMAGE, file_id=shown)
    await says(db, SUE, where, "look", kind=Kind.NOTE, file_id=noted)
    assert await code_of(says(db, BOB, other, "", client_id="c2", kind=Kind.IMAGE, file_id=shown)) == "not_found"
    assert await code_of(says(db, SUE, other, "", client_id="c2", kind=Kind.IMAGE, file_id=noted)) == "file_taken"

    async def sees(who: Reader, file_id: str, place: str = where) -> bool:
        async with db.begin() as tx:
            try:
                return (await conversations.file_of(tx, who, place, file_id)).id == file_id
            except NotFound:
                return False

    assert [await sees(who, shown) for who in (ANN, SUE, BOB, TIA)] == [True, True, False, False]
    assert [await sees(who, noted) for who in (ANN, SUE)] == [False, True]
    assert not await sees(SUE, shown, other)
    await db.run(conversations.recall_message, ANN, where, 1, client_id="r")
    assert not await sees(SUE, shown)
    clock.advance(hours=25)
    async with db.begin() as tx:
        assert await files.purge(tx, limit=9) == 1
