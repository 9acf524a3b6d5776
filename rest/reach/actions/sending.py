"""A delivery on its way: made ready, taken, put off, refused, given up, dropped. Each verb locks the delivery.

A verb that finds the delivery elsewhere than its job left it does nothing: another runner was faster, or it is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rest import people
from rest.people.model import AccountStatus
from rest.reach import words
from rest.reach.actions.telling import send_at, wake_at
from rest.reach.config import store as config
from rest.reach.kinds import KINDS
from rest.reach.model import Channel, Delivery, Notice, State, Urgency, Wishes, collapse, retry_s
from rest.reach.senders.contract import Envelope
from rest.reach.store import deliveries, notices
from rest.reach.terms import Terms
from storage.base.errors import NotFound
from storage.base.log import log
from storage.tx import Tx

PROBLEM_MAX = 200


async def prepare(tx: Tx, delivery_id: str, attempt: int) -> Envelope | None:
    """What to send now; None when there is nothing to send any more, which is then written down."""
    one = await _queued(tx, delivery_id, attempt)
    if one is None:
        return None
    notice = await notices.find(tx, one.notice_id)
    if notice is None or notice.is_over(tx.now):
        await deliveries.save(tx, one.after("drop", tx.now, problem="over"))
        return None
    if one.ends_at <= tx.now:
        await _give_up(tx, one, "too_late")
        return None
    address = await _address(tx, one)
    if address is None:
        await deliveries.save(tx, one.after("drop", tx.now, problem="no_address"))
        return None
    return await _envelope(tx, one, notice, address)


async def _address(tx: Tx, one: Delivery) -> tuple[str, str] | None:
    """(platform, address) as it is now; None when there is none any more."""
    if one.channel is Channel.WECOM:
        return "group", one.account_id
    if one.channel is Channel.SMS:
        try:
            account = await people.account_of(tx, one.account_id)
        except NotFound:
            return None
        return ("phone", account.phone) if account.status is AccountStatus.ACTIVE else None
    for device in await deliveries.live_devices(tx, [one.account_id]):
        if device.id == one.device_id:
            return device.platform, device.token
    return None


async def _envelope(tx: Tx, one: Delivery, notice: Notice, address: tuple[str, str]) -> Envelope:
    wishes = (await notices.wishes(tx, [one.account_id]))[one.account_id]
    published = await config.published(tx)
    said = words.say(notice.kind, notice.about, wishes.language, stands_for=one.stands_for, published=published)
    return Envelope(
        id=one.id,
        channel=one.channel,
        platform=address[0],
        address=address[1],
        kind=notice.kind,
        language=wishes.language,
        title=said.title,
        body=said.body,
        values=words.values(notice.about, wishes.language),
        links=_links(one, notice),
        collapse_key=notice.collapse_key,
        ttl_s=max(1, int((one.ends_at - tx.now).total_seconds())),
        is_urgent=KINDS[notice.kind].urgency is Urgency.URGENT if notice.kind in KINDS else False,
        attempt=one.attempts,
        ticket=one.ticket,
    )


def _links(one: Delivery, notice: Notice) -> Mapping[str, str]:
    links = {"notice_id": notice.id, "delivery_id": one.id, "kind": notice.kind}
    if notice.subject_kind is not None and notice.subject_id is not None:
        links |= {"subject_kind": notice.subject_kind, "subject_id": notice.subject_id}
    if notice.link is not None:
        links |= {"link": notice.link}
    return links


async def keep_ticket(tx: Tx, delivery_id: str, attempt: int, ticket: str) -> str | None:
    """What the provider will know this sending by, written before it is asked; the first one counts.

    None: there is nothing to send any more.
    """
    one = await _queued(tx, delivery_id, attempt)
    if one is None:
        return None
    if one.ticket is None:
        await deliveries.save(tx, one.after("put_off", tx.now, ticket=ticket))
    return one.ticket or ticket


async def take(tx: Tx, delivery_id: str, attempt: int, ref: str) -> None:
    """The provider has it."""
    one = await _queued(tx, delivery_id, attempt)
    if one is not None:
        await deliveries.save(tx, one.after("take", tx.now, attempts=attempt + 1, provider_ref=ref, problem=None))


async def put_off(
    tx: Tx, delivery_id: str, attempt: int, *, problem: str, keeps_ticket: bool, wait_s: float, terms: Terms
) -> None:
    """It did not go: again later, and never after its time. A ticket the provider has answered is used up."""
    one = await _queued(tx, delivery_id, attempt)
    if one is None:
        return
    due_at = tx.now + timedelta(seconds=max(retry_s(attempt + 1), wait_s))
    if attempt + 1 >= terms.attempts_max or due_at >= one.ends_at:
        await _give_up(tx, one, problem)
        return
    later = one.after(
        "put_off", tx.now, attempts=attempt + 1, due_at=due_at, problem=problem[:PROBLEM_MAX],
        ticket=one.ticket if keeps_ticket else None,
    )  # fmt: skip
    await deliveries.save(tx, later)
    send_at(tx, later)


async def refuse(tx: Tx, delivery_id: str, attempt: int, *, problem: str, is_gone: bool) -> None:
    """The provider will never take it. A device it does not know any more is forgotten."""
    one = await _queued(tx, delivery_id, attempt)
    if one is None:
        return
    log("delivery.failed", level="warning", delivery_id=one.id, channel=one.channel.value, problem=problem)
    await deliveries.save(tx, one.after("refuse", tx.now, attempts=attempt + 1, problem=problem[:PROBLEM_MAX]))
    if is_gone and one.device_id is not None:
        await deliveries.drop_device(tx, one.device_id)


async def _give_up(tx: Tx, one: Delivery, problem: str) -> None:
    log("delivery.given_up", level="warning", delivery_id=one.id, channel=one.channel.value, problem=problem)
    await deliveries.save(tx, one.after("give_up", tx.now, problem=problem[:PROBLEM_MAX]))


async def _queued(tx: Tx, delivery_id: str, attempt: int) -> Delivery | None:
    """The delivery, locked, if it still waits for just this attempt."""
    one = await deliveries.lock(tx, delivery_id)
    return one if one is not None and one.state is State.QUEUED and one.attempts == attempt else None


async def confirm(tx: Tx, delivery_id: str, account_id: str) -> Delivery:
    """The device says that it has it. Raises NotFound, WrongDeliveryState."""
    one = await deliveries.lock(tx, delivery_id, account_id=account_id)
    if one is None:
        raise NotFound
    confirmed = one.after("confirm", tx.now)
    await deliveries.save(tx, confirmed)
    return confirmed


# The end of quiet hours


async def wake(tx: Tx, payload: dict[str, Any]) -> None:
    """Send what was held, a few as they are, many as one; what was read meanwhile is dropped."""
    account_id = payload["account_id"]
    held = await deliveries.lock_held(tx, account_id)
    if not held:
        return
    wishes: Wishes = (await notices.wishes(tx, [account_id]))[account_id]
    quiet_until = wishes.quiet_until(tx.now)
    if quiet_until is not None:  # they were changed meanwhile
        for one in held:
            later = replace(one, due_at=quiet_until)
            await deliveries.save(tx, later)
            wake_at(tx, account_id, later)
        return
    known = await notices.many(tx, {one.notice_id for one in held})
    places: dict[tuple[Channel, str | None], list[Delivery]] = {}
    for one in sorted(held, key=lambda waits: known[waits.notice_id].no):
        if known[one.notice_id].is_over(tx.now):
            await deliveries.save(tx, one.after("drop", tx.now, problem="over"))
        else:
            places.setdefault((one.channel, one.device_id), []).append(one)
    for waiting in places.values():
        await _release(tx, waiting)


async def _release(tx: Tx, waiting: list[Delivery]) -> None:
    """Of one place: the last ones go, and say how many they stand for."""
    sent = collapse(len(waiting))
    for one in waiting[: len(waiting) - sent]:
        await deliveries.save(tx, one.after("drop", tx.now, problem="told_by_another"))
    for one in waiting[len(waiting) - sent :]:
        stands_for = 1 if sent > 1 else len(waiting)
        released = one.after("release", tx.now, stands_for=stands_for, due_at=tx.now)
        await deliveries.save(tx, released)
        send_at(tx, released)
