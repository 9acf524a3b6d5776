"""The line: who comes, who is given to whom, who says yes, no or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chat import calendars, conversations
from chat.conversations import Circle, MembersOnly
from chat.desk.actions import promises
from chat.desk.actions.agents import became_away
from chat.desk.actions.greeting import greet
from chat.desk.actions.queues import rules_for
from chat.desk.actions.steps import (
    agent_of,
    assigned,
    follow_side,
    give_conversation,
    key_of,
    line_up,
    lock_thread,
    our_turn,
    put_back,
    queue_of,
    tell,
    tell_changed,
    tell_customer,
)
from chat.desk.errors import OfferGone
from chat.desk.facts import ThreadAssigned
from chat.desk.model import (
    MISSES_MAX,
    Assignment,
    Kind,
    Queue,
    Severity,
    State,
    Thread,
    priority_of,
)
from chat.desk.routing import Request, Rule, route
from chat.desk.sla import Promise
from chat.desk.store import agents as agent_store
from chat.desk.store import queues as queue_store
from chat.desk.store import threads as store
from storage.base.errors import NotFound
from storage.postgres import RetryTx
from storage.tx import Tx

OUT_OF_HOURS = "out_of_hours"
NOBODY_HERE = "nobody_here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """Which conversation comes to the desk, with what. `rank`: 0 … 99, from his line (`MEMBER_RANK` for members).

    `audience`: where he is heard at; his own customer app unless said otherwise. `former_id`: the thread it follows.
    `language`: the tag of his, in which the queue greets him; `customer_name`: what it calls him.
    """

    conversation_id: str
    customer_id: str
    request: Request
    rank: int = 0
    audience: Sequence[str] = ()
    subject_kind: str | None = None
    subject_id: str | None = None
    former_id: str | None = None
    language: str = "zh-CN"
    customer_name: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a newcomer goes: the rule that fits, its queue, and those it keeps what is in it to."""

    rule: Rule
    queue: Queue
    circle: Circle | None


async def destination_of(tx: Tx, request: Request) -> Destination:
    """Raises RoutingMissing."""
    rule = route((await rules_for(tx, request.tenant_id))[1], request)[-1].rule
    queue = await queue_of(tx, rule.queue_id)
    return Destination(rule, queue, await queue_store.circle(tx, queue, request.tenant_id))


async def submit(tx: Tx, new: Newcomer, to: Destination | None = None) -> Thread:
    """Bring a conversation into the line its rules name; one that is at the desk already stays as it is.

    Out of hours a chat becomes a ticket at once, and keeps its place. `to`: where the caller has seen that it goes.
    Tells thread.queued, support.changed, and what the queue says by itself. Raises NotFound, RoutingMissing.
    """
    found = await store.lock(tx, new.conversation_id)
    if found is not None:
        return found
    await conversations.find_conversation(tx, new.conversation_id)
    to = to or await destination_of(tx, new.request)
    rule, queue = to.rule, to.queue
    is_open = calendars.is_open(await calendars.calendar_of(tx, queue.calendar_id), tx.now)
    kind = new.request.kind if is_open else Kind.TICKET
    thread = _new_thread(tx, new, kind, queue.id)
    thread = replace(
        thread,
        number=await ticket_number(tx) if kind is Kind.TICKET else None,
        required_skills=rule.required_skills,
        optional_skills=rule.optional_skills,
        preferred_agent_id=rule.agent_id,
        circle=to.circle,
    )
    if not await store.insert(tx, thread):
        raise RetryTx
    await follow_side(tx, thread, queue)
    detail = {"rule": rule.name, "asked": new.request.kind.value, "rank": new.rank}
    await store.write_event(tx, thread, "submit", by_id=new.customer_id, detail=detail)
    await promises.begin(tx, thread, queue, Promise.FIRST_REPLY, Promise.RESOLVE)
    notice = "queued"
    if not is_open:
        notice = OUT_OF_HOURS
    elif not await queue_store.has_somebody(tx, queue.id):
        notice = NOBODY_HERE
    await line_up(tx, thread, notice)
    if new.request.kind is Kind.CHAT:  # who writes a ticket expects nobody at once
        await greet(tx, thread, queue, is_open=is_open, language=new.language, customer_name=new.customer_name)
    return thread


def _new_thread(tx: Tx, new: Newcomer, kind: Kind, queue_id: str) -> Thread:
    asked = new.request
    return Thread(
        conversation_id=new.conversation_id,
        kind=kind,
        state=State.QUEUED,
        tenant_id=asked.tenant_id,
        customer_id=new.customer_id,
        audience=tuple(new.audience) or (f"customer:{new.customer_id}",),
        subject_kind=new.subject_kind,
        subject_id=new.subject_id,
        number=None,
        category=asked.category,
        severity=asked.severity,
        rank=new.rank,
        priority=priority_of(asked.severity, new.rank),
        queue_id=queue_id,
        required_skills=(),
        optional_skills=(),
        preferred_agent_id=None,
        declined_by=(),
        declined_until=None,
        units=kind.units,
        epoch=0,
        assignee_id=None,
        closure_no=0,
        resolution=None,
        opened_at=tx.now,
        queued_at=tx.now,
        state_at=tx.now,
        resolved_at=None,
        closed_at=None,
        version=1,
        former_id=new.former_id,
    )


async def ticket_number(tx: Tx) -> str:
    """`TK`, the day, and a number that is never given twice."""
    return f"TK{tx.now:%Y%m%d}{await store.next_number(tx):06d}"


async def drain(tx: Tx, queue_id: str) -> Assignment | None:
    """Give away one thread, the oldest of the highest priority that somebody can serve, and tell. None: there is none.

    Once a transaction: an agent's row that is held while another is asked for could hold up another queue for ever.
    """
    made = await store.assign(tx, queue_id, tx.new_id("asg"))
    if made is not None:
        await assigned(tx, await lock_thread(tx, made.conversation_id), made)
    return made


async def accept(tx: Tx, assignment_id: str, agent_id: str) -> Thread:
    """Say yes to an offer: only the one asked, only in time, only while it is his. Again changes nothing.

    Tells thread.assigned, support.changed. Raises NotFound, OfferGone, MembersOnly.
    """
    thread, offer = await _offer(tx, assignment_id, agent_id)
    if not thread.admits(agent_id):
        raise MembersOnly
    if offer.accepted_at is not None:
        return thread
    if not await store.accept(tx, offer.id):
        raise OfferGone
    opened = thread.after("accept", tx.now)
    await store.save(tx, opened)
    await agent_store.set_misses(tx, agent_id, is_miss=False)
    await store.write_event(tx, opened, "accept", agent_id=agent_id, detail={"assignment_id": offer.id})
    tx.unschedule(key_of(thread.conversation_id, "accept"))
    await give_conversation(tx, opened)
    await our_turn(tx, opened)
    tell(tx, ThreadAssigned, opened, agent_id, assignment_id=offer.id, reason=offer.reason)
    agent = await agent_of(tx, agent_id)
    tell_customer(tx, opened, agent_name=agent.name)
    return opened


async def decline(tx: Tx, assignment_id: str, agent_id: str) -> Thread:
    """Say no to an offer: it goes to somebody else. Raises NotFound, OfferGone."""
    thread, offer = await _offer(tx, assignment_id, agent_id)
    if offer.accepted_at is not None:
        raise OfferGone
    await agent_store.set_misses(tx, agent_id, is_miss=False)
    return await put_back(tx, thread, "return", "declined", by_id=agent_id, not_to=agent_id)


async def _offer(tx: Tx, assignment_id: str, agent_id: str) -> tuple[Thread, Assignment]:
    """The thread, locked, and its live assignment under this id."""
    seen = await store.find_assignment(tx, assignment_id)
    if seen is None or seen.agent_id != agent_id:
        raise NotFound
    thread = await lock_thread(tx, seen.conversation_id)
    live = await store.live_assignment(tx, thread.conversation_id)
    if live is None or live.id != assignment_id or live.epoch != thread.epoch:
        raise OfferGone
    return thread, live


async def miss(tx: Tx, assignment_id: str) -> Thread | None:
    """Nobody answered in time: the next is asked, and whoever lets a second one pass counts as away."""
    seen = await store.find_assignment(tx, assignment_id)
    if seen is None:
        return None
    thread = await lock_thread(tx, seen.conversation_id)
    live = await store.live_assignment(tx, thread.conversation_id)
    if live is None or live.id != assignment_id or live.accepted_at is not None or live.expires_at is None:
        return None
    if tx.now < live.expires_at:
        return None
    returned = await put_back(tx, thread, "return", "missed", not_to=live.agent_id)
    if await agent_store.set_misses(tx, live.agent_id, is_miss=True) >= MISSES_MAX:
        await became_away(tx, live.agent_id)
    return returned


async def give_back(
    tx: Tx, conversation_id: str, epoch: int, reason: str, *, by_id: str | None = None
) -> Thread | None:
    """The agent of this epoch cannot go on: into the line again, at its old place, and not to him at once."""
    thread = await lock_thread(tx, conversation_id)
    if thread.epoch != epoch or thread.assignee_id is None:
        return None
    return await put_back(tx, thread, "return", reason, by_id=by_id, not_to=thread.assignee_id)


async def keep_out(tx: Tx, conversation_id: str, epoch: int) -> Thread | None:
    """The agent of this epoch serves its queue no longer, which is kept to those who do: into the line again."""
    thread = await lock_thread(tx, conversation_id)
    if thread.assignee_id is None or thread.admits(thread.assignee_id):
        return None
    return await give_back(tx, conversation_id, epoch, "members_only")


async def raise_severity(tx: Tx, conversation_id: str, severity: Severity, by_id: str) -> Thread:
    """Change how bad it is, and with it the place in the line."""
    thread = await lock_thread(tx, conversation_id)
    changed = replace(
        thread, severity=severity, priority=priority_of(severity, thread.rank), version=thread.version + 1
    )
    await store.save(tx, changed)
    await store.write_event(tx, changed, "severity", by_id=by_id, detail={"severity": severity.value})
    tell_changed(tx, changed)
    return changed
