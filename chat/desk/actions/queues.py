"""Queues, their hours, the rules that lead to them, quick replies, and what one asks about a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chat import calendars
from chat.calendars import Calendar, Stored
from chat.desk.actions import promises
from chat.desk.actions.agents import refresh_duty
from chat.desk.actions.steps import lock_thread, look_who_serves, poke, queue_of
from chat.desk.choosing import Verdict, Waiting, judge
from chat.desk.errors import QueueInvalid, RoutingMissing, RulesInvalid, ShortcutUsed
from chat.desk.facts import QueueAccess, desks_of
from chat.desk.greetings import check_greetings
from chat.desk.model import AUTO_CLOSE_S, REOPEN_DAYS, STICKY_DAYS, Expected, Kind, Queue, State, Thread, expected_wait
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
    """`queue.id` is given here. Raises QueueInvalid, ReplyTemplateInvalid, NotFound for an unknown calendar."""
    made = replace(queue, id=tx.new_id("que"), version=1)
    await _check(tx, made)
    await store.insert(tx, made)
    return made


async def change_queue(tx: Tx, held: Queue, changed: Queue) -> Queue:
    """Replace what a locked queue says. Promises made keep their targets and go by the new hours from now on.

    What it is kept to its members from now on, others who have it give back. Tells queue.access_changed.
    """
    saved = replace(changed, id=held.id, tenant_id=held.tenant_id, version=held.version + 1)
    await _check(tx, saved)
    if not await store.update(tx, saved):
        raise RetryTx
    if saved.members_only is not held.members_only:
        tx.tell(QueueAccess(queue_id=saved.id, members_only=saved.members_only), to=desks_of(saved))
        look_who_serves(tx, saved.id, "changed")
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
    for name, (least, most) in {"auto_close_s": AUTO_CLOSE_S, "reopen_days": REOPEN_DAYS}.items():
        if not least <= getattr(queue, name) <= most:
            raise QueueInvalid(field=name, least=least, most=most)
    check_greetings(queue.greeting, queue.closed_notice)
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


async def publish_rules(tx: Tx, rules: Sequence[Rule], *, by_id: str, over: int, tenant_id: str | None = None) -> int:
    """Put a whole list of rules in force at a desk, over the version one has seen (0: none yet). The new version.

    A tenant's rules lead to its own queues and agents. The platform's lead to a tenant's queue only what is that
    tenant's. Raises RulesInvalid, QueueInvalid, StaleVersion.
    """
    check_rules(rules)
    for rule in rules:
        await _check_rule(tx, rule, tenant_id)
    scope, current = tenant_id or "", await store.rules(tx, tenant_id or "")
    if (current[0] if current else 0) != over or not await store.insert_rules(tx, scope, over + 1, list(rules), by_id):
        raise StaleVersion
    return over + 1


async def _check_rule(tx: Tx, rule: Rule, tenant_id: str | None) -> None:
    queue = await queue_of(tx, rule.queue_id)
    if not queue.is_active:
        raise RulesInvalid(f"Queue {queue.id} is switched off.")
    if tenant_id is None:
        if queue.tenant_id is not None and rule.when.tenant_ids != (queue.tenant_id,):
            raise RulesInvalid(f"Queue {queue.id} takes what is its tenant's, and nothing else.")
        return
    if queue.tenant_id != tenant_id:
        raise QueueInvalid
    if rule.agent_id is not None:
        agent = await agent_store.find(tx, rule.agent_id)
        if agent is None or agent.tenant_id != tenant_id:
            raise RulesInvalid("A tenant's rules name its own agents.")


async def current_rules(tx: Tx, tenant_id: str | None = None) -> tuple[int, list[Rule]]:
    """What a desk has published itself. Raises RoutingMissing."""
    found = await store.rules(tx, tenant_id or "")
    if found is None:
        raise RoutingMissing
    return found


async def rules_for(tx: Tx, tenant_id: str | None) -> tuple[int, list[Rule]]:
    """The rules a newcomer goes by: his tenant's own, else the platform's. Raises RoutingMissing."""
    own = await store.rules(tx, tenant_id) if tenant_id is not None else None
    return own or await current_rules(tx)


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
    tried = route(rules if rules is not None else (await rules_for(tx, asked.tenant_id))[1], asked)
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


async def name_of_server(tx: Tx, thread: Thread) -> str | None:
    """What to call who answers; None while nobody does: an offer is not taken yet."""
    if thread.assignee_id is None or thread.state is State.OFFERED:
        return None
    agent = await agent_store.find(tx, thread.assignee_id)
    return None if agent is None else agent.name


async def back_at(tx: Tx, thread: Thread) -> datetime | None:
    """When those of a closed queue are back; None while it is open, or for who does not wait."""
    if thread.state is not State.QUEUED:
        return None
    queue = await queue_of(tx, thread.queue_id)
    hours = await calendars.calendar_of(tx, queue.calendar_id)
    return None if calendars.is_open(hours, tx.now) else calendars.next_open(hours, tx.now)


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
