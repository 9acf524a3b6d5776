"""Queues, their hours, the rules that lead to them, quick replies, and what one asks about a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from chat import calendars
from chat.calendars import Calendar, Stored
from chat.desk.actions import promises
from chat.desk.actions.agents import refresh_duty
from chat.desk.actions.steps import lock_thread, poke, queue_of
from chat.desk.choosing import Verdict, Waiting, judge
from chat.desk.errors import QueueInvalid, RoutingMissing, RulesInvalid, ShortcutUsed
from chat.desk.model import STICKY_DAYS, Expected, Kind, Queue, State, Thread, expected_wait
from chat.desk.replies import QuickReply, check_body
from chat.desk.routing import Request, Rule, Tried, check_rules, route
from chat.desk.store import agents as agent_store
from chat.desk.store import queues as store
from chat.desk.store import threads as thread_store
from chat.desk.store import timers as timer_store
from storage.base.errors import NotFound, StaleVersion
from storage.postgres import RetryTx
from storage.tx import Tx

CANDIDATES_MAX = 500
SAMPLES_MAX = 200
SAMPLE_DAYS = 7
REBASE_BATCH = 200
REBASE_KIND = "desk.rebase"


async def create_queue(tx: Tx, queue: Queue) -> Queue:
    """`queue.id` is given here. Raises QueueInvalid, NotFound for a calendar that does not exist."""
    made = replace(queue, id=tx.new_id("que"), version=1)
    await _check(tx, made)
    await store.insert(tx, made)
    return made


async def change_queue(tx: Tx, held: Queue, changed: Queue) -> Queue:
    """Replace what a locked queue says. Promises made keep their targets and go by the new hours from now on."""
    saved = replace(changed, id=held.id, tenant_id=held.tenant_id, version=held.version + 1)
    await _check(tx, saved)
    if not await store.update(tx, saved):
        raise RetryTx
    poke(tx, saved.id, "changed")
    return saved


async def lock_queue(tx: Tx, queue_id: str) -> Queue:
    """Raises NotFound."""
    queue = await store.lock(tx, queue_id)
    if queue is None:
        raise NotFound
    return queue


async def _check(tx: Tx, queue: Queue) -> None:
    if queue.idle_close_s <= queue.idle_warn_s or not queue.name.strip():
        raise QueueInvalid
    if queue.calendar_id is not None:
        await calendars.find_calendar(tx, queue.calendar_id)
    seen = {queue.id}
    next_id = queue.overflow_queue_id
    while next_id is not None:
        if next_id in seen:
            raise QueueInvalid("The overflow leads back to this queue.")
        seen.add(next_id)
        next_id = (await queue_of(tx, next_id)).overflow_queue_id


async def change_hours(tx: Tx, held: Stored, calendar: Calendar, *, name: str) -> Stored:
    """Give a locked calendar other hours, and all that goes by it: shifts, and promises from now on.

    Promises are moved a batch at a time, by a job; each was counted by the old hours until then.
    """
    saved = await calendars.save_calendar(tx, held, calendar, name=name)
    for agent_id in await agent_store.ids_with_calendar(tx, held.id):
        await refresh_duty(tx, agent_id)
    tx.schedule(REBASE_KIND, f"desk:calendar:{held.id}:rebase", tx.now, {"calendar_id": held.id, "after": ""})
    return saved


async def rebase_batch(tx: Tx, calendar_id: str, after: str) -> str | None:
    """Recompute the due times of some threads of this calendar; where to go on, None when it was the last."""
    found = await timer_store.conversations_of_calendar(tx, calendar_id, after=after, limit=REBASE_BATCH)
    for conversation_id in found:
        thread = await lock_thread(tx, conversation_id)
        await promises.rebase(tx, thread, calendar_id)
    return found[-1] if len(found) == REBASE_BATCH else None


# Rules


async def publish_rules(tx: Tx, rules: Sequence[Rule], *, by_id: str, over: int) -> int:
    """Put a whole list of rules in force, over the version one has seen (0: none yet). The new version.

    Raises RulesInvalid, QueueInvalid, StaleVersion.
    """
    check_rules(rules)
    for queue_id in {rule.queue_id for rule in rules}:
        if not (await queue_of(tx, queue_id)).is_active:
            raise RulesInvalid(f"Queue {queue_id} is switched off.")
    current = await store.rules(tx)
    if (current[0] if current else 0) != over or not await store.insert_rules(tx, over + 1, list(rules), by_id):
        raise StaleVersion
    return over + 1


async def current_rules(tx: Tx) -> tuple[int, list[Rule]]:
    """Raises RoutingMissing."""
    found = await store.rules(tx)
    if found is None:
        raise RoutingMissing
    return found


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would happen to such a thread now: each rule tried, the queue, and each agent with a place or reasons."""

    tried: tuple[Tried, ...]
    queue: Queue
    is_open: bool
    kind: Kind
    verdicts: tuple[Verdict, ...]


async def dry_run(
    tx: Tx, asked: Request, *, customer_id: str | None = None, rules: Sequence[Rule] | None = None
) -> DryRun:
    """Who would get it, and why; with the rules in force or with others. Changes nothing. Raises RulesInvalid."""
    if rules is not None:
        check_rules(rules)
    tried = route(rules if rules is not None else (await current_rules(tx))[1], asked)
    rule = tried[-1].rule
    queue = await queue_of(tx, rule.queue_id)
    is_open = calendars.is_open(await calendars.calendar_of(tx, queue.calendar_id), tx.now)
    kind = asked.kind if is_open else Kind.TICKET
    known = rule.agent_id or await _known(tx, customer_id, asked.tenant_id)
    waiting = Waiting(
        units=kind.units,
        queued_at=tx.now,
        required_skills=rule.required_skills,
        optional_skills=rule.optional_skills,
        known_agent_id=known,
    )
    candidates = await agent_store.candidates(tx, queue.id, CANDIDATES_MAX)
    return DryRun(tuple(tried), queue, is_open, kind, tuple(judge(waiting, queue, candidates, tx.now)))


async def explain(tx: Tx, thread: Thread) -> list[Verdict]:
    """Each agent of the queue of a waiting thread, with a place or reasons."""
    queue = await queue_of(tx, thread.queue_id)
    known = thread.preferred_agent_id or await _known(tx, thread.customer_id, thread.tenant_id)
    waiting = Waiting(
        units=thread.units,
        queued_at=thread.queued_at,
        required_skills=thread.required_skills,
        optional_skills=thread.optional_skills,
        declined_by=thread.declined_by,
        declined_until=thread.declined_until,
        known_agent_id=known,
    )
    return judge(waiting, queue, await agent_store.candidates(tx, queue.id, CANDIDATES_MAX), tx.now)


async def _known(tx: Tx, customer_id: str | None, tenant_id: str | None) -> str | None:
    if customer_id is None:
        return None
    return await thread_store.last_served(tx, customer_id, tenant_id or "", timedelta(days=STICKY_DAYS))


# The line as its customers see it


@dataclass(frozen=True, slots=True)
class Place:
    """`position` is 1 for the next."""

    position: int
    expected: Expected


async def place_of(tx: Tx, thread: Thread) -> Place | None:
    """Where a waiting thread stands, and how long it may take; None when it does not wait."""
    if thread.state is not State.QUEUED:
        return None
    since = tx.now - timedelta(days=SAMPLE_DAYS)
    waits = await thread_store.recent_waits_s(tx, thread.queue_id, since, SAMPLES_MAX)
    waited_s = (tx.now - thread.queued_at).total_seconds()
    return Place(await thread_store.ahead_of(tx, thread) + 1, expected_wait(waits, waited_s))


# Quick replies


async def add_reply(tx: Tx, reply: QuickReply) -> QuickReply:
    """`reply.id` is given here. Raises ReplyTemplateInvalid, ShortcutUsed."""
    check_body(reply.body)
    made = replace(reply, id=tx.new_id("qrp"))
    if not await store.insert_reply(tx, made):
        raise ShortcutUsed
    return made


async def find_reply(tx: Tx, reply_id: str) -> QuickReply:
    """Raises NotFound."""
    found = await store.find_reply(tx, reply_id)
    if found is None:
        raise NotFound
    return found


async def remove_reply(tx: Tx, reply_id: str) -> None:
    """Raises NotFound."""
    if not await store.delete_reply(tx, reply_id):
        raise NotFound


async def replies_for(
    tx: Tx, agent_id: str, tenant_id: str | None, *, after: str = "", limit: int = 100
) -> list[QuickReply]:
    """What an agent may use: the platform's, those of his tenant, his own."""
    owners = {"platform": "", "own": agent_id, **({"tenant": tenant_id} if tenant_id else {})}
    return await store.replies_for(tx, owners, after=after, limit=limit)
