"""Who sees what, and who may write: every kind of person before every kind of conversation (C5, C7, A4).

The expected answers are written down as a table, and the same cases are asked of the lists, of search and of every way
to read on a real database.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chat import conversations
from chat.conversations import Conversation, Member, Reader, Role, Staff, Status, may_read, may_write
from chat.conversations.model import refusal_of
from storage.base.errors import HubError, NotFound
from storage.postgres import Database
from tests.conftest import MONDAY, wipe
from tests.conversations.talk import code_of, notes, says


def a_conversation(**changed: Any) -> Conversation:
    values: dict[str, Any] = {
        "id": "con_1", "kind": "chat", "tenant_id": None, "customer_id": "acc_ann", "subject_kind": None,
        "subject_id": None, "status": Status.OPEN, "is_handed": False, "assignee_id": None, "assign_epoch": 0,
        "last_seq": 9, "public_seq": 8, "opened_at": MONDAY, "last_at": MONDAY, "waiting_since": None,
        "closed_at": None, "version": 1, **changed,
    }  # fmt: skip
    return Conversation(**values)


PEOPLE = {
    "customer": Reader("acc_ann"),
    "stranger": Reader("acc_bob"),
    "worker": Reader("acc_tom"),
    "agent": Reader("acc_sue", Staff()),
    "supervisor": Reader("acc_lead", Staff(is_supervisor=True)),
    "agent of a": Reader("acc_tia", Staff("ten_a")),
    "supervisor of a": Reader("acc_tlead", Staff("ten_a", is_supervisor=True)),
    "agent of b": Reader("acc_toby", Staff("ten_b")),
    "supervisor of b": Reader("acc_blead", Staff("ten_b", is_supervisor=True)),
    "customer who is agent": Reader("acc_ann", Staff()),
    "customer who is supervisor": Reader("acc_ann", Staff(is_supervisor=True)),
    "worker who is agent of a": Reader("acc_tom", Staff("ten_a")),
    "agent no more": Reader("acc_sue"),
}
THREADS = {
    "platform": {},
    "of a": {"tenant_id": "ten_a"},
    "of a, handed": {"tenant_id": "ten_a", "is_handed": True},
}
MEMBERSHIPS = ("none", "as served", "as agent", "as observer", "left")
"""How somebody takes part: as customer or worker, as staff, or no longer."""


def role_served(who: str) -> Role:
    return Role.CUSTOMER if PEOPLE[who].account_id == "acc_ann" else Role.WORKER


def membership(who: str, how: str) -> Member | None:
    role = {"as served": role_served(who), "as observer": Role.OBSERVER}.get(how, Role.AGENT)
    if how == "none":
        return None
    return Member(account_id=PEOPLE[who].account_id, role=role, audience="x", left_seq=5 if how == "left" else None)


STAFF_OF = {"agent": None, "supervisor": None, "agent of a": "ten_a", "supervisor of a": "ten_a",
            "agent of b": "ten_b", "supervisor of b": "ten_b", "worker who is agent of a": "ten_a"}  # fmt: skip


def expected(who: str, thread: str, how: str) -> str:
    """nothing, public or all; from the words of the design, not from the code."""
    if how == "as served":
        return "public"
    if who.startswith("customer") or who in {"stranger", "worker", "agent no more"}:
        return "nothing"
    side = None if thread == "platform" else "ten_a"
    if STAFF_OF[who] == side:
        return "all"
    if who == "supervisor" or (who == "agent" and thread == "of a, handed" and how == "as agent"):
        return "all"
    return "nothing"


SCENES = list(itertools.product(THREADS, MEMBERSHIPS))


@pytest.mark.parametrize("who", PEOPLE)
def test_who_sees_what(who: str) -> None:
    for thread, how in SCENES:
        sight = may_read(PEOPLE[who], a_conversation(**THREADS[thread]), membership(who, how))
        seen = "nothing" if sight is None else "all" if sight.internal else "public"
        assert seen == expected(who, thread, how), (thread, how)


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("internal", [False, True])
def test_who_may_write(who: str, status: Status, internal: bool) -> None:
    """Nobody writes where he does not read; people write no notes; a closed conversation takes only notes."""
    for thread, how in SCENES:
        _check_writing(who, thread, how, status, internal)


def _check_writing(who: str, thread: str, how: str, status: Status, internal: bool) -> None:
    conversation = a_conversation(**THREADS[thread], status=status)
    try:
        answer = may_write(PEOPLE[who], conversation, membership(who, how), internal=internal).value
    except HubError as refusal:
        answer = refusal.code
    seen = expected(who, thread, how)
    if seen == "nothing" or (internal and seen == "public"):
        assert answer == "read_only"
    elif status is Status.CLOSED and not internal:
        assert answer == "conversation_closed"
    elif who == "supervisor" and thread == "of a" and seen == "all" and not internal:
        assert answer == "read_only", "the platform looks over a tenant's talk and does not speak in it"
    elif seen == "public":
        assert answer == role_served(who).value
    else:
        assert answer == ("supervisor" if "supervisor" in who else "agent")


@pytest.mark.parametrize("who", PEOPLE)
def test_what_is_kept_to_a_circle_is_seen_by_it_and_by_who_leads(who: str) -> None:
    """Those who are served see it as ever; whom the circle leaves out is told why only where he would see it else."""
    for (thread, how), is_in in itertools.product(SCENES, (False, True)):
        circle = {PEOPLE[who].account_id: None} if is_in else {}
        conversation, member = a_conversation(**THREADS[thread], circle=circle), membership(who, how)
        sight = may_read(PEOPLE[who], conversation, member)
        seen = "nothing" if sight is None else "all" if sight.internal else "public"
        ever = expected(who, thread, how)
        is_kept_out = ever == "all" and not is_in and "supervisor" not in who
        assert seen == ("nothing" if is_kept_out else ever), (thread, how, is_in)
        if sight is None:
            code = refusal_of(PEOPLE[who], conversation, member).code
            assert code == ("queue_members_only" if is_kept_out else "not_found"), (thread, how, is_in)


def test_who_left_reads_what_was_and_writes_nothing() -> None:
    gone = Member(account_id="acc_tom", role=Role.WORKER, audience="x", joined_seq=3, left_seq=5)
    sight = may_read(PEOPLE["worker"], a_conversation(), gone)
    assert sight is not None
    assert [seq for seq in range(1, 9) if sight.covers(seq, is_internal=False)] == [3, 4, 5]
    assert not sight.covers(4, is_internal=True)
    with pytest.raises(conversations.ReadOnly):
        may_write(PEOPLE["worker"], a_conversation(), gone)


@pytest.mark.parametrize(
    ("how", "assignee_id", "answer"),
    [
        ("none", None, "agent"),
        ("none", "acc_sue", "agent"),
        ("none", "acc_sam", "stale_assignment"),
        ("as agent", "acc_sam", "agent"),
        ("as observer", "acc_sam", "stale_assignment"),
    ],
)
def test_an_agent_answers_what_is_his_or_nobodys(how: str, assignee_id: str | None, answer: str) -> None:
    conversation = a_conversation(assignee_id=assignee_id)
    try:
        found = may_write(PEOPLE["agent"], conversation, membership("agent", how)).value
    except HubError as refusal:
        found = refusal.code
    assert found == answer
    assert may_write(PEOPLE["agent"], conversation, membership("agent", how), internal=True) is Role.AGENT
    assert may_write(PEOPLE["supervisor"], conversation, None) is Role.SUPERVISOR


async def _scene(db: Database, who: str, thread: str, how: str) -> str:
    """A conversation with a message, a note and an answer, in which this person takes part like this."""
    async with db.begin() as tx:
        conversation, _ = await conversations.open_conversation(
            tx, customer_id="acc_ann", tenant_id=THREADS[thread].get("tenant_id"), kind="chat"
        )
        if THREADS[thread].get("is_handed"):
            await conversations.hand_over(tx, conversation.id, to_platform=True)
        member = membership(who, how)
        account_id = PEOPLE[who].account_id
        if how == "as served" and account_id == "acc_ann":
            member = None  # he is in it already
        elif account_id == "acc_ann":
            await tx.execute("DELETE FROM participants WHERE account_id = 'acc_ann'")
        if member is not None:
            await conversations.join(tx, conversation.id, account_id, member.role)
        if how == "left":
            await conversations.leave(tx, conversation.id, account_id)
    staff = Reader("acc_boss", Staff(THREADS[thread].get("tenant_id"), is_supervisor=True))
    await says(db, staff, conversation.id, "good morning")
    await notes(db, staff, conversation.id, "morning person")
    return conversation.id


ALL_WAYS: dict[str, Callable[..., Awaitable[set[str]]]] = {}


def way(name: str) -> Callable[..., Any]:
    def keep(function: Any) -> Any:
        ALL_WAYS[name] = function
        return function

    return keep


@way("history")
async def _(tx: Any, reader: Reader, where: str) -> set[str]:
    return {one.body for one in await conversations.history(tx, reader, where, limit=50)}


@way("range")
async def _(tx: Any, reader: Reader, where: str) -> set[str]:
    return {one.body for one in await conversations.history(tx, reader, where, is_oldest_first=True, limit=50)}


@way("sync")
async def _(tx: Any, reader: Reader, where: str) -> set[str]:
    return {one.body for delta in await conversations.sync(tx, reader, {where: 0}) for one in delta.messages}


@way("search")
async def _(tx: Any, reader: Reader, where: str) -> set[str]:
    found = await conversations.search(tx, reader, "morning")
    own = await conversations.search(tx, Reader(reader.account_id), "morning") if reader.staff else []
    return {one.body for one in [*found, *own]}


@way("lists")
async def _(tx: Any, reader: Reader, where: str) -> set[str]:
    """What a list row shows is the last thing said."""
    rows = await conversations.list_own(tx, reader.account_id)
    if reader.staff is not None:
        rows += await conversations.list_served(tx, reader)
    return {row.last.body for row in rows if row.last is not None}


@pytest.mark.parametrize("who", PEOPLE)
async def test_every_way_to_read_shows_the_same(db: Database, who: str) -> None:
    """C5, C7: history, ranges, synchronising, search and lists give what the table says and no more."""
    for thread, how in SCENES:
        if how != "left":
            await wipe(db)
            await _check_reading(db, who, thread, how)


async def _check_reading(db: Database, who: str, thread: str, how: str) -> None:
    where = await _scene(db, who, thread, how)
    everything = {"nothing": set(), "public": {"good morning"}, "all": {"good morning", "morning person"}}
    seen = everything[expected(who, thread, how)]
    for name, read in ALL_WAYS.items():
        async with db.begin() as tx:
            try:
                shown = await read(tx, PEOPLE[who], where)
            except NotFound:
                shown = set()
        wanted = {"morning person"} if name == "lists" and len(seen) == 2 else seen
        assert shown == wanted, (name, thread, how)
    if not seen:
        assert await code_of(says(db, PEOPLE[who], where)) == "not_found"
        assert await code_of(notes(db, PEOPLE[who], where)) == "not_found"
