"""Notices as they are written: once for each fact and person, with their deliveries, and told to whoever is there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dispatch
from rest.reach import words
from rest.reach.config import store as config
from rest.reach.config.model import NoticeRules, is_limited
from rest.reach.facts import NoticeNew, NoticeRead, audiences_of
from rest.reach.kinds import KINDS, Rule
from rest.reach.model import Channel, Delivery, Device, Notice, State, Urgency, Wishes
from rest.reach.store import deliveries, notices
from rest.reach.terms import Terms
from storage.base.clock import business_day, wall_time
from storage.tx import Tx

SEND = "reach.send"
SEND_BULK = "reach.send_bulk"
WAKE = "reach.wake"

DELIVERY_KEPT = timedelta(hours=24)
"""After this nobody wants to be told any more; the inbox has it."""

EVERYBODY = "everybody"
HOUR = "hour"
"""Counted like a channel: what one person is sent in an hour of the business day."""
ROOM = "group:support"
"""The room of the support team; it has no inbox."""


@dataclass(frozen=True, slots=True)
class _Reach:
    """What is known of the people of one batch."""

    rules: NoticeRules
    wishes: Mapping[str, Wishes]
    devices: Mapping[str, Sequence[Device]]


async def tell(tx: Tx, wanted: Sequence[Notice], terms: Terms, *, is_bulk: bool = False) -> list[Notice]:
    """Write those of these notices that are new, put them on their ways, and tell who is there. Which were new.

    What the operator has switched off is not told. `is_bulk`: nobody waits for them, so they go by the lane of
    broadcasts.
    """
    if not wanted:
        return []
    rules = await config.rules(tx)
    fresh = await notices.add(tx, [one for one in wanted if rules.tells(one.kind)])
    open_ones = [one for one in fresh if one.read_at is None]
    if not open_ones:
        return fresh
    await notices.supersede(tx, open_ones)
    people = sorted({one.account_id for one in open_ones if one.account_id != ROOM})
    devices: dict[str, list[Device]] = {}
    for device in await deliveries.live_devices(tx, people):
        devices.setdefault(device.account_id, []).append(device)
    reach = _Reach(rules, await notices.wishes(tx, people), devices)
    planned = [delivery for one in open_ones for delivery in await _plan(tx, one, reach, terms, is_bulk=is_bulk)]
    await deliveries.add(tx, planned)
    for delivery in planned:
        _go_on(tx, delivery)
    await _tell_people(tx, open_ones)
    return fresh


def _go_on(tx: Tx, delivery: Delivery) -> None:
    """To the sender at once, or to the end of the quiet hours."""
    if delivery.state is State.HELD:
        wake_at(tx, delivery.account_id, delivery)
    else:
        send_at(tx, delivery)


def send_at(tx: Tx, delivery: Delivery) -> None:
    """Have it sent when it is due. A key for each attempt: the job that runs may not be the one that is replaced."""
    payload = {"delivery_id": delivery.id, "attempt": delivery.attempts}
    lane = SEND_BULK if delivery.is_bulk else SEND
    tx.schedule(lane, f"{lane}:{delivery.id}:{delivery.attempts}", delivery.due_at, payload)


def wake_at(tx: Tx, account_id: str, delivery: Delivery) -> None:
    tx.schedule(WAKE, f"{WAKE}:{account_id}", delivery.due_at, {"account_id": account_id})


async def _plan(tx: Tx, notice: Notice, reach: _Reach, terms: Terms, *, is_bulk: bool) -> list[Delivery]:
    """Its ways out, as far as they are set up, wanted, and within the day's limits."""
    rule = KINDS[notice.kind]
    if notice.account_id == ROOM:
        if not (terms.carries(Channel.WECOM, notice.kind) and reach.rules.sends(notice.kind, Channel.WECOM)):
            return []
        return [_delivery(tx, notice, Channel.WECOM, None, None)]
    wishes = reach.wishes[notice.account_id]
    held_until = None if rule.urgency is Urgency.URGENT else wishes.quiet_until(tx.now)
    ways = {
        channel: _places(channel, reach.devices.get(notice.account_id, ()))
        for channel in rule.channels
        if channel is not Channel.WECOM
        and terms.carries(channel, notice.kind)
        and reach.rules.sends(notice.kind, channel)
        and wishes.wants(rule.kind, channel)
    }
    if not any(ways.values()) or not await _is_within_the_hour(tx, notice, reach.rules):
        return []
    found: list[Delivery] = []
    for channel, places in ways.items():
        if places and await _may_go(tx, notice.account_id, channel, terms):
            found += [_delivery(tx, notice, channel, place, held_until, is_bulk=is_bulk) for place in places]
    return found


async def _is_within_the_hour(tx: Tx, notice: Notice, rules: NoticeRules) -> bool:
    """Count it against the operator's limit for one person; what is urgent is not counted."""
    if rules.hour_max is None or not is_limited(notice.kind):
        return True
    scope = f"{notice.account_id}/{wall_time(tx.now)[11:13]}"
    return await notices.take_count(tx, business_day(tx.now), HOUR, scope, limit=rules.hour_max)


def _places(channel: Channel, devices: Sequence[Device]) -> list[str | None]:
    """Devices of the channel; a text message goes to the number of the account, which is one place."""
    return [None] if channel is Channel.SMS else [one.id for one in devices if one.channel is channel]


async def _may_go(tx: Tx, account_id: str, channel: Channel, terms: Terms) -> bool:
    """Count it against the limits of the business day: texts cost money, and a phone that never stops is muted."""
    limits = {
        Channel.SMS: ((account_id, terms.sms_account_day_max), (EVERYBODY, terms.sms_day_max)),
        Channel.PUSH: ((account_id, terms.push_account_day_max),),
    }
    day = business_day(tx.now)
    for scope, limit in limits.get(channel, ()):
        if not await notices.take_count(tx, day, channel.value, scope, limit=limit):
            return False
    return True


def _delivery(
    tx: Tx,
    notice: Notice,
    channel: Channel,
    device_id: str | None,
    held_until: datetime | None,
    *,
    is_bulk: bool = False,
) -> Delivery:
    due_at = held_until or tx.now
    return Delivery(
        id=tx.new_id("dlv"),
        notice_id=notice.id,
        account_id=notice.account_id,
        channel=channel,
        device_id=device_id,
        state=State.QUEUED if held_until is None else State.HELD,
        attempts=0,
        stands_for=1,
        ticket=None,
        provider_ref=None,
        problem=None,
        created_at=tx.now,
        due_at=due_at,
        ends_at=notice.expires_at or due_at + DELIVERY_KEPT,
        changed_at=tx.now,
        is_bulk=is_bulk,
    )


async def _tell_people(tx: Tx, fresh: Sequence[Notice]) -> None:
    ringing = [one for one in fresh if KINDS[one.kind].rings and one.account_id != ROOM]
    if not ringing:
        return
    people = sorted({one.account_id for one in ringing})
    unread = await notices.unread(tx, people)
    published = await config.published(tx)
    workers = await dispatch.workers_of(tx, people)
    for one in ringing:
        title, body = words.in_all(one.kind, one.about, published)
        fact = NoticeNew(
            notice_id=one.id,
            kind=one.kind,
            urgency=KINDS[one.kind].urgency.value,
            title=title,
            body=body,
            subject_kind=one.subject_kind,
            subject_id=one.subject_id,
            link=one.link,
            created_at=one.created_at,
            unread=unread[one.account_id],
        )
        tx.tell(fact, to=audiences_of(one.account_id, workers.get(one.account_id)), expires_at=one.expires_at)


async def tell_counts(tx: Tx, account_ids: Collection[str]) -> None:
    """Their bells show fewer now."""
    people = sorted(set(account_ids) - {ROOM})
    if not people:
        return
    workers = await dispatch.workers_of(tx, people)
    for account_id, count in (await notices.unread(tx, people)).items():
        tx.tell(NoticeRead(unread=count), to=audiences_of(account_id, workers.get(account_id)))


def notice_of(
    tx: Tx, rule: Rule, account_id: str, *, fact_id: str, fact: Mapping[str, object], about: Mapping[str, object]
) -> Notice:
    """What this person is told of this fact."""
    subject_kind, source = rule.subject or (None, "")
    return Notice(
        id=tx.new_id("ntc"),
        account_id=account_id,
        kind=rule.kind,
        fact_id=fact_id,
        about=about,
        subject_kind=subject_kind,
        subject_id=str(fact[source]) if subject_kind else None,
        collapse_key=rule.collapse_key(fact),
        created_at=tx.now,
        expires_at=rule.ends_at(fact),
    )
