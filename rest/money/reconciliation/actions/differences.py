"""Differences after they were found: answered by the channel, or resolved by a person with a reason.

Lock order: the run → the difference, as the comparison takes them.
"""

from __future__ import annotations

from dataclasses import replace

from rest.money.reconciliation import store
from rest.money.reconciliation.actions.comparing import recount, settle
from rest.money.reconciliation.actions.runs import SYSTEM
from rest.money.reconciliation.model import HANDLING, Difference, DifferenceState, Resolution
from storage.base.errors import NotFound
from storage.base.log import log
from storage.tx import Tx


async def answer(tx: Tx, difference_id: str, *, is_right: bool, said: str) -> None:
    """The channel has been asked. `is_right`: what it said is in our records now, and they agree."""
    difference = await _lock(tx, difference_id)
    how = HANDLING[difference.kind].asks
    if difference.state is DifferenceState.RESOLVED or how is None:
        return
    if is_right:
        await settle(tx, difference, how, said)
        await recount(tx, difference.reconciliation_id)
        return
    noted = difference.after("note")
    await store.save_difference(tx, noted)
    await store.insert_event(
        tx,
        difference.id,
        actor=SYSTEM,
        verb="note",
        from_state=difference.state.value,
        to_state=noted.state.value,
        detail=said,
    )


async def resolve(tx: Tx, difference_id: str, *, by: str, reason: str) -> Difference:
    """A person says what has become of it. Again, with the same reason, nothing happens.

    Raises NotFound, WrongReconciliationState.
    """
    difference = await _lock(tx, difference_id)
    if difference.state is DifferenceState.RESOLVED and (difference.by_id, difference.reason) == (by, reason):
        return difference
    done = replace(
        difference.after("resolve"), resolution=Resolution.BY_PERSON, reason=reason, by_id=by, resolved_at=tx.now
    )
    await store.save_difference(tx, done)
    await store.insert_event(
        tx,
        difference.id,
        actor=f"account:{by}",
        verb="resolve",
        from_state=difference.state.value,
        to_state=done.state.value,
        detail=reason,
    )
    await recount(tx, difference.reconciliation_id)
    log("reconciliation.resolved", difference_id=difference_id, by=by)
    return done


async def _lock(tx: Tx, difference_id: str) -> Difference:
    """The run's row first. Raises NotFound."""
    known = await store.read_difference(tx, difference_id)
    if known is None or await store.lock_run(tx, known.reconciliation_id) is None:
        raise NotFound
    found = await store.lock_difference(tx, difference_id)
    if found is None:
        raise NotFound
    return found
