"""Verbs of calls: open, pause, resume, renew, unlock, reopen, finish, close.

Callers hold the subject's lock (and the worker's, where one is assigned) before they come here; the call's row is
locked inside. An epoch is one time in the pool: coming back starts a new one, so everybody may be offered again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from dispatch import telling, workers
from dispatch.model import Call, CallDraft, CallNotFound, CallStatus, Mode, WavePlan
from dispatch.store import calls as store
from storage.tx import Tx

WAVE = "call.wave"
OFFERS_EXPIRE = "offers.expire"
WINDOW = "call.window"


async def open_call(tx: Tx, draft: CallDraft) -> Call:
    """Put work into the pool; the first wave is due at once."""
    call = new_call(tx, draft)
    await store.insert(tx, call)
    return call


def new_call(tx: Tx, draft: CallDraft) -> Call:
    """The call of this draft, its first wave scheduled and told.

    Whoever asks for it writes it in this transaction by the SQL function `call_open` (`store.calls.insert_values`),
    together with rows of its own.
    """
    fields = {name: getattr(draft, name) for name in CallDraft.__dataclass_fields__}
    call = Call(
        id=tx.new_id("cal"), **fields, status=CallStatus.OPEN, epoch=1, wave=0, ring_m=0, worker_id=None,
        locked_until=None, created_at=tx.now, version=1,
    )  # fmt: skip
    _start_waves(tx, call)
    telling.call_changed(tx, call)
    return call


async def get_call(tx: Tx, call_id: str) -> Call:
    call = await store.read(tx, call_id)
    if call is None:
        raise CallNotFound
    return call


async def lock_call(tx: Tx, call_id: str) -> Call:
    call = await store.lock(tx, call_id)
    if call is None:
        raise CallNotFound
    return call


async def pause(tx: Tx, call_id: str, *, reason: str) -> Call:
    """Take the call out of the pool for a while: offers end, grabs stay."""
    call = await lock_call(tx, call_id)
    paused = dataclasses.replace(call, status=call.after("pause"))
    await _end_offers(tx, call, state="withdrawn", reason=reason)
    return await _save(tx, paused)


async def resume(tx: Tx, call_id: str) -> Call:
    """Back into the pool, in a new epoch."""
    call = await lock_call(tx, call_id)
    return await _pool_again(tx, call, "resume")


async def renew(tx: Tx, call_id: str, *, radius_factor: float | None = None, start_at: datetime | None = None,
                busy_until: datetime | None = None, void_grabs: bool = False) -> Call:  # fmt: skip
    """Push an open call again in a new epoch, wider (HS-078) or at another time (HS-100, grabs are then void)."""
    call = await lock_call(tx, call_id)
    call.after("renew")
    await _end_offers(tx, call, state="withdrawn", reason="pushed_again")
    if void_grabs:
        gone = await store.close_grabs(tx, state="void", was=("offered",), call_id=call.id)
        await telling.end_grabs(tx, gone, state="void", reason="changed")
    changes: dict[str, Any] = {}
    if radius_factor is not None:
        changes["plan"] = dataclasses.replace(call.plan, radius_factor=radius_factor)
    if start_at is not None and busy_until is not None:
        changes |= {"start_at": start_at, "busy_until": busy_until}
    return await _pool_again(tx, dataclasses.replace(call, **changes), "renew")


async def unlock(tx: Tx, call_id: str, *, reason: str, paused: bool = False) -> Call:
    """Unbind the locked worker and put the call back into the pool (or aside). Others' grabs stay (HS-086)."""
    call = await lock_call(tx, call_id)
    verb = "unlock_paused" if paused else "unlock"
    call.after(verb)
    freed = await store.close_grabs(tx, state="unbound", was=("locked",), call_id=call.id)
    await telling.end_grabs(tx, freed, state="unbound", reason=reason)
    loose = dataclasses.replace(call, worker_id=None, locked_until=None)
    if paused:
        saved = await _save(tx, dataclasses.replace(loose, status=CallStatus.PAUSED), booking="released")
    else:
        saved = await _pool_again(tx, loose, verb, was=call.status, booking="released")
    await _tell_worker(tx, call.worker_id)
    return saved


async def reopen(tx: Tx, call_id: str, *, exclude: Iterable[str] = (), reason: str) -> Call:
    """A won call loses its worker and seeks another; the excluded never come back to it (HS-069)."""
    call = await lock_call(tx, call_id)
    call.after("reopen")
    freed = await store.close_grabs(tx, state="unbound", was=("won",), call_id=call.id)
    await telling.end_grabs(tx, freed, state="unbound", reason=reason)
    loose = dataclasses.replace(call, worker_id=None, locked_until=None, excluded=call.excluded | frozenset(exclude))
    saved = await _pool_again(tx, loose, "reopen", was=call.status, booking="released")
    await _tell_worker(tx, call.worker_id)
    return saved


async def finish(tx: Tx, call_id: str) -> Call:
    """The work is done; the rest of the worker's time is free again."""
    call = await lock_call(tx, call_id)
    saved = await _save(tx, dataclasses.replace(call, status=call.after("finish")), booking="done")
    await _tell_worker(tx, call.worker_id)
    return saved


async def close_call(tx: Tx, call_id: str, *, reason: str, expired: bool = False) -> Call:
    """End a call without a worker: every offer and grab ends, a booking is released."""
    call = await lock_call(tx, call_id)
    closed = dataclasses.replace(
        call, status=call.after("expire" if expired else "cancel"), worker_id=None, locked_until=None
    )
    grabs, offers = await store.close(tx, closed, open_offers="expired" if expired else "withdrawn", reason=reason)
    telling.grabs_ended(tx, grabs, {call.id: (call.subject_id, call.audience)}, state="void", reason=reason)
    telling.offers_closed(tx, offers, reason=reason)
    tx.unschedule(f"wave:{call.id}")
    telling.call_changed(tx, closed)
    await _tell_worker(tx, call.worker_id)
    return closed


async def _pool_again(
    tx: Tx, call: Call, verb: str, *, was: CallStatus | None = None, booking: str | None = None
) -> Call:
    status = dataclasses.replace(call, status=was or call.status).after(verb)
    fresh = dataclasses.replace(call, status=status, epoch=call.epoch + 1, wave=0, ring_m=0)
    _start_waves(tx, fresh)
    return await _save(tx, fresh, booking=booking)


def _start_waves(tx: Tx, call: Call) -> None:
    tx.schedule(WAVE, f"wave:{call.id}", tx.now, {"call_id": call.id, "epoch": call.epoch})


async def _end_offers(tx: Tx, call: Call, *, state: str, reason: str) -> None:
    telling.offers_closed(tx, await store.close_offers(tx, state=state, call_id=call.id), reason=reason)


async def _save(tx: Tx, call: Call, *, booking: str | None = None) -> Call:
    await store.save(tx, call, booking=booking)
    telling.call_changed(tx, call)
    return call


async def _tell_worker(tx: Tx, worker_id: str | None) -> None:
    if worker_id is not None:
        await workers.tell_changed(tx, worker_id)


def plan_for(mode: Mode, **changes: Any) -> WavePlan:  # noqa: ANN401 - fields of WavePlan
    """The usual plan of a mode: the pool tells everybody soon, first-wins and direct offers are short-lived."""
    usual: dict[Mode, dict[str, Any]] = {
        Mode.CHOOSE_BACK: {},
        Mode.FIRST_WINS: {
            "sizes": (5, 8, 12, 500),
            "interval_s": 20.0,
            "offer_ttl_s": 25,
            "offers_max": 4,
            "window_ms": 800,
        },
        Mode.DIRECT: {"sizes": (1,), "offer_ttl_s": 300},
    }
    return WavePlan(**(usual[mode] | changes))
