"""What happens when time is up. A timer is a hint: the state says what is due (`model.timers`), and when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rest.lines.homeservice import silence
from rest.lines.homeservice.actions import breaking, pool, watching
from rest.lines.homeservice.line import HOMESERVICE, SILENCE, timer_kind
from rest.lines.homeservice.model import Job, timers
from rest.trade import orders
from storage.tx import Tx

Handler = Callable[[Tx, dict[str, Any]], Awaitable[None]]
Watcher = Callable[[Tx, Job], Awaitable[Job]]

WATCHERS: Mapping[str, Watcher] = {
    "no_grab": watching.nobody_grabbed,
    "choice": watching.nobody_chose,
    "lock": pool.unbind,
    "pool_close": watching.start_is_near,
    "answer": watching.nobody_answered,
    "departure": watching.nobody_departed,
    "service_end": watching.time_is_up,
    "leave": watching.nobody_confirmed,
    "wait": breaking.wait_is_over,
}
"""Timer of `model.TIMERS` → what it does."""


def _handler(name: str, watcher: Watcher) -> Handler:
    async def fire(tx: Tx, payload: dict[str, Any]) -> None:
        job = await orders.lock_for_system(tx, HOMESERVICE, payload["order_id"])
        due_at = timers(job).get(name)
        if due_at is not None and due_at <= tx.now:
            await watcher(tx, job)

    return fire


DEADLINES: Mapping[str, Handler] = {
    **{timer_kind(name): _handler(name, watcher) for name, watcher in WATCHERS.items()},
    timer_kind(SILENCE): silence.look,
}
