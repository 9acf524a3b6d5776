"""Verbs of points. Each holds the purse, asks the model, and writes lots, uses, purse and book from its answer.

Repeating a verb under the same reference or holder moves nothing, so callers may be repeated.
Lock order: the caller's rows → purse → ledger accounts → job rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from rest.money import ledger
from rest.money.points import model, store
from rest.money.points.facts import PointsChanged, PointsExpiring, owner
from rest.money.points.model import POINTS_MAX, Lot, Purse, Totals, Use
from storage.base.errors import NotFound
from storage.tx import Tx

MATURE_KIND = "points.mature"
EXPIRE_KIND = "points.expire"
REMIND_KIND = "points.remind"
REMIND_BEFORE = timedelta(days=30)
"""FR-098."""


async def totals(tx: Tx, account_id: str) -> Totals:
    """What the customer has now: available, pending, held, owed."""
    return await store.totals(tx, account_id) or Totals()


async def earn(
    tx: Tx,
    account_id: str,
    points: int,
    *,
    ref: str,
    reason: str,
    available_at: datetime | None = None,
    expires_at: datetime | None = None,
    note: str | None = None,
    by_id: str | None = None,
) -> Lot:
    """Give points for one event, named by `ref` for ever: the same `ref` again gives nothing (FR-093).

    Until `available_at` they are pending; at `expires_at` what is left of them is gone. None: at once; never.
    """
    _check(points)
    purse = await _open(tx, account_id)
    known = await store.lot_of_ref(tx, ref)
    if known is not None:
        return known
    start = available_at or tx.now
    lot = Lot(
        id=tx.new_id("ptl"),
        account_id=account_id,
        ref=ref,
        reason=reason,
        earned=points,
        is_pending=start > tx.now,
        available_at=start,
        expires_at=expires_at,
        created_at=tx.now,
    )
    after = model.earn(purse, lot)
    await store.add_lot(tx, after.lots[lot.id])
    await _save(tx, purse, after, ref=ref, reason=reason, note=note, by_id=by_id)
    _watch(tx, lot)
    return after.lots[lot.id]


def _watch(tx: Tx, lot: Lot) -> None:
    payload = {"lot_id": lot.id}
    if lot.is_pending:
        tx.schedule(MATURE_KIND, f"{lot.id}:mature", lot.available_at, payload)
    if lot.expires_at is not None:
        tx.schedule(EXPIRE_KIND, f"{lot.id}:expire", lot.expires_at, payload)
        if lot.expires_at - REMIND_BEFORE > tx.now:
            tx.schedule(REMIND_KIND, f"{lot.id}:remind", lot.expires_at - REMIND_BEFORE, payload)


async def hold(tx: Tx, account_id: str, points: int, *, holder_id: str, reason: str = "hold") -> None:
    """Set points aside for a payment or a purchase; asking again while it has them changes nothing.

    A holder that has released his may hold again. Raises InsufficientPoints; RefReused for another number.
    """
    _check(points)
    purse = await _open(tx, account_id)
    before = await store.uses(tx, holder_id)
    if any(use.account_id != account_id or use.held not in {0, points} for use in _summed(before)):
        raise ledger.RefReused
    if any(use.held or use.used for use in before):
        return
    after, uses = model.hold(purse, points, holder_id)
    await _save(tx, purse, after, ref=_step(holder_id, "held", purse), reason=reason, uses=uses, holder_id=holder_id)


def _summed(uses: Sequence[Use]) -> list[Use]:
    return [replace(uses[0], held=sum(use.held for use in uses))] if uses else []


async def use_held(tx: Tx, holder_id: str, *, reason: str = "use") -> None:
    """What this holder set aside is spent."""
    await _use(tx, holder_id, reason)


async def _use(tx: Tx, holder_id: str, reason: str, *, note: str | None = None, by_id: str | None = None) -> None:
    found = await _open_holder(tx, holder_id)
    if found is not None:
        purse, held = found
        after, uses = model.use_held(purse, [use for use in held if use.held])
        ref = _step(holder_id, "used", purse)
        await _save(tx, purse, after, ref=ref, reason=reason, uses=uses, holder_id=holder_id, note=note, by_id=by_id)


async def release(tx: Tx, holder_id: str, *, reason: str = "release") -> None:
    """What this holder set aside is the customer's again; what has expired meanwhile is gone."""
    found = await _open_holder(tx, holder_id)
    if found is not None:
        purse, held = found
        after, uses = model.release(purse, [use for use in held if use.held], tx.now)
        ref = _step(holder_id, "released", purse)
        await _save(tx, purse, after, ref=ref, reason=reason, uses=uses, holder_id=holder_id)


async def spend(
    tx: Tx,
    account_id: str,
    points: int,
    *,
    holder_id: str,
    reason: str,
    note: str | None = None,
    by_id: str | None = None,
) -> None:
    """Spend points at once; a holder spends once. Raises InsufficientPoints."""
    if not await store.uses(tx, holder_id):
        await hold(tx, account_id, points, holder_id=holder_id, reason=reason)
        await _use(tx, holder_id, reason, note=note, by_id=by_id)


async def give_back(tx: Tx, holder_id: str, points: int, *, ref: str, reason: str) -> None:
    """Points this holder has spent come back to their lots, all or a part; once per `ref`.

    Raises NotFound when he has spent none; ValueError above what he has spent.
    """
    _check(points)
    found = await _open_holder(tx, holder_id)
    if found is None:
        raise NotFound
    purse, used = found
    if not await store.add_return(tx, ref, purse.account_id, points):
        return
    after, uses = model.give_back(purse, used, points, tx.now)
    await _save(tx, purse, after, ref=ref, reason=reason, uses=uses, holder_id=holder_id)


async def claw_back(tx: Tx, points: int, *, earned_ref: str, ref: str, reason: str) -> int:
    """Take back what an event gave, because it was undone; how many points that were. Once per `ref`.

    Never more than the event gave. What has been spent is owed and paid from what comes next (RV-332).
    """
    _check(points)
    known = await store.lot_of_ref(tx, earned_ref)
    if known is None:
        return 0
    purse = await _open(tx, known.account_id, also=[known.id])
    if not await store.add_return(tx, ref, known.account_id, points):
        return 0
    after = model.claw_back(purse, points, known.id)
    await _save(tx, purse, after, ref=ref, reason=reason)
    return after.totals.clawed - purse.totals.clawed


async def adjust(
    tx: Tx, account_id: str, points: int, *, ref: str, note: str, by_id: str, valid_days: int | None = None
) -> None:
    """Staff give or take points; who did it and why is kept with the transfer (FR-094). Raises InsufficientPoints."""
    if points > 0:
        ends = None if valid_days is None else tx.now + timedelta(days=valid_days)
        await earn(tx, account_id, points, ref=ref, reason="adjust", expires_at=ends, note=note, by_id=by_id)
    else:
        await spend(tx, account_id, -points, holder_id=_holder(ref), reason="adjust", note=note, by_id=by_id)


def _holder(ref: str) -> str:
    """A reference as an account may be named after it."""
    return f"adj_{hashlib.sha256(ref.encode()).hexdigest()[:32]}"


async def mature(tx: Tx, payload: dict[str, Any]) -> None:
    """The after-sale window of what earned these points has closed."""
    found = await _open_lot(tx, payload["lot_id"])
    if found is not None and found[1].is_pending and found[1].available_at <= tx.now:
        purse, lot = found
        await _save(tx, purse, model.mature(purse, lot.id), ref=f"{lot.id}:matured", reason="mature")


async def expire(tx: Tx, payload: dict[str, Any]) -> None:
    """The time of these points is over."""
    found = await _open_lot(tx, payload["lot_id"])
    if found is not None and found[1].is_over(tx.now) and found[1].left:
        purse, lot = found
        await _save(tx, purse, model.expire(purse, lot.id), ref=f"{lot.id}:expired", reason="expire")


async def remind(tx: Tx, payload: dict[str, Any]) -> None:
    """These points end soon; nobody is told of points that are gone already."""
    lot = await store.lot(tx, payload["lot_id"])
    if lot is not None and lot.left and lot.expires_at is not None and lot.expires_at > tx.now:
        fact = PointsExpiring(account_id=lot.account_id, points=lot.left, expires_at=lot.expires_at)
        tx.tell(fact, to=[owner(lot.account_id)])


async def _open(tx: Tx, account_id: str, also: Sequence[str] = ()) -> Purse:
    """The purse, held until the end of the transaction, with its live lots and these."""
    totals = await store.lock_purse(tx, account_id)
    if totals is None:
        await store.add_purse(tx, account_id)
        totals = await store.lock_purse(tx, account_id)
    assert totals is not None  # noqa: S101 - made just now
    lots = await store.lots(tx, account_id, also)
    return Purse(account_id=account_id, totals=totals, lots={lot.id: lot for lot in lots})


async def _open_holder(tx: Tx, holder_id: str) -> tuple[Purse, list[Use]] | None:
    account_id = await store.holder_account(tx, holder_id)
    if account_id is None:
        return None
    await store.lock_purse(tx, account_id)
    uses = await store.uses(tx, holder_id)
    return await _open(tx, account_id, also=[use.lot_id for use in uses]), uses


async def _open_lot(tx: Tx, lot_id: str) -> tuple[Purse, Lot] | None:
    known = await store.lot(tx, lot_id)
    if known is None:
        return None
    purse = await _open(tx, known.account_id, also=[lot_id])
    return purse, purse.lots[lot_id]


async def _save(
    tx: Tx,
    before: Purse,
    after: Purse,
    *,
    ref: str,
    reason: str,
    uses: Sequence[Use] = (),
    holder_id: str | None = None,
    note: str | None = None,
    by_id: str | None = None,
) -> None:
    """Write what changed, and post the difference. A purse that did not change writes nothing."""
    if after == before:
        return
    changed = [lot for lot in after.lots.values() if lot.id in before.lots and lot != before.lots[lot.id]]
    if changed:
        await store.save_lots(tx, changed)
    if uses:
        await store.save_uses(tx, uses)
    await store.save_purse(tx, before.account_id, after.totals)
    moves = model.entries(before, after, holder_id)
    if moves:
        await ledger.post(
            tx,
            ref=_in_book(ref),
            kind=f"points_{reason}",
            note=note,
            by_id=by_id,
            entries=moves,
            overdraw=after.totals.owed > before.totals.owed,
        )
    _tell(tx, before, after.totals, reason)


def _tell(tx: Tx, before: Purse, after: Totals, reason: str) -> None:
    fact = PointsChanged(
        account_id=before.account_id,
        reason=reason,
        points=after.available - before.totals.available,
        available=after.available,
        pending=after.pending,
        owed=after.owed,
    )
    tx.tell(fact, to=[owner(before.account_id)])


def _step(holder_id: str, what: str, purse: Purse) -> str:
    """A holder may hold and release several times; the purse's version tells the steps apart."""
    return f"{holder_id}:{what}:{purse.totals.version}"


def _in_book(ref: str) -> str:
    """References of points are apart from those of money."""
    return f"points:{ref}"


def _check(points: int) -> None:
    if not 0 < points <= POINTS_MAX:
        raise ValueError(f"{points} points cannot move")
