"""A membership in time: it takes what is paid for, reminds, and ends."""

from __future__ import annotations

from typing import Any

from rest.marketing.membership import store
from rest.marketing.membership.facts import MembershipChanged, MembershipEnding
from rest.marketing.membership.model import REMIND_BEFORE, Membership, MembershipState
from rest.marketing.membership.runs import Level, Run
from storage.postgres import RetryTx
from storage.tx import Tx

EXPIRE_KIND = "membership.expire"
REMIND_KIND = "membership.remind"


async def lock_current(tx: Tx, account_id: str, line: str) -> Membership:
    """Somebody's membership, locked, and over if its end has come: its deadline may be a moment late."""
    membership = await store.lock_of(tx, account_id, line)
    over = membership.expired(tx.now)
    return membership if over is None else await _save(tx, membership, over, "expire")


async def add_level(tx: Tx, membership: Membership, level: Level) -> tuple[str, Membership]:
    """What this level's months have become of it, and by which verb. Needs the lock. Raises AlreadyMember."""
    verb = membership.verb_for(level)
    after = await _save(tx, membership, membership.with_level(level, tx.now), verb)
    _watch(tx, after)
    return verb, after


async def restore(tx: Tx, membership: Membership, former: Run | None) -> Membership:
    """It is what it was before its last purchase. Needs the lock. Raises WrongMembershipState."""
    verb, after = membership.given_back(former, tx.now)
    await _save(tx, membership, after, verb)
    _watch(tx, after)
    return after


def _watch(tx: Tx, membership: Membership) -> None:
    if membership.state is not MembershipState.ACTIVE or membership.run is None:
        return
    payload, ends_at = {"membership_id": membership.id}, membership.run.ends_at
    tx.schedule(EXPIRE_KIND, f"{membership.id}:expire", ends_at, payload)
    tx.schedule(REMIND_KIND, f"{membership.id}:remind", ends_at - REMIND_BEFORE, payload)


async def expire(tx: Tx, payload: dict[str, Any]) -> None:
    """Its time is over."""
    membership = await store.lock_membership(tx, payload["membership_id"])
    over = membership.expired(tx.now) if membership is not None else None
    if membership is not None and over is not None:
        await _save(tx, membership, over, "expire")


async def remind(tx: Tx, payload: dict[str, Any]) -> None:
    """Its end is near; it may have been moved since this was due."""
    membership = await store.lock_membership(tx, payload["membership_id"])
    if membership is None or membership.state is not MembershipState.ACTIVE or membership.run is None:
        return
    run = membership.run
    if run.ends_at - REMIND_BEFORE <= tx.now < run.ends_at:
        fact = MembershipEnding(
            membership_id=membership.id, line=membership.line, level=run.level, ends_at=run.ends_at
        )
        tx.tell(fact, to=[f"customer:{membership.account_id}"], expires_at=run.ends_at)


async def _save(tx: Tx, before: Membership, after: Membership, verb: str) -> Membership:
    if not await store.save_membership(tx, before, after):
        raise RetryTx
    run, is_over = after.run or before.run, after.state is not MembershipState.ACTIVE
    assert run is not None  # noqa: S101 - whatever moves it has been paid for once
    fact = MembershipChanged(
        membership_id=after.id,
        line=after.line,
        verb=verb,
        state=after.state.value,
        level=run.level,
        discount_bps=run.discount_bps,
        ends_at=min(run.ends_at, tx.now) if is_over else run.ends_at,
        version=after.version,
    )
    tx.tell(fact, to=[f"customer:{after.account_id}"])
    if is_over:
        tx.unschedule(f"{after.id}:expire")
        tx.unschedule(f"{after.id}:remind")
    return after
