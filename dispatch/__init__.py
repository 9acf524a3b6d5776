"""Dispatch: getting work to workers. Exactly one winner, nobody booked twice, no offer lost.

Tables    workers, worker_positions, calls, offers, grabs, bookings
States    call: open ⇄ paused, open → locked → won → done; cancelled and expired from any live state
          offer: open → grabbed → won | lost | withdrawn | void; open → declined | expired | withdrawn | void
          grab: offered → locked → won; lost, unbound, withdrawn, void
          booking: held → firm → done; released
Calls     geo (live index, areas)
Tells     offer.made offer.closed grab.closed to the worker; grab.added grab.removed call.won to the call's audience;
          call.changed worker.changed to operations
Deadlines call.wave (next wave), offers.expire (TTL), call.window (grab window of first_wins)
Locks     worker rows (sorted) → [the subject's row, by its owner] → call → offers, grabs, booking
Knows     no orders, no money, no sockets: work is a subject (kind, id), and its owner gives the audience.
Decided   docs/decisions/0005-dispatch.md
"""

from dispatch.calls import (
    close_call,
    finish,
    get_call,
    lock_call,
    new_call,
    open_call,
    pause,
    plan_for,
    renew,
    reopen,
    resume,
    unlock,
)
from dispatch.candidates import candidates
from dispatch.dispatcher import Dispatcher
from dispatch.grabs import bid, decline, grab, lock_candidate, relock, win, withdraw
from dispatch.workers import (
    USUAL_HOURS_MIN,
    accounts_of,
    create_worker,
    get_worker,
    go_offline,
    go_online,
    lock_worker,
    save_positions,
    update_worker,
    worker_of,
    workers_of,
)

__all__ = [
    "USUAL_HOURS_MIN", "Dispatcher", "accounts_of", "bid", "candidates", "close_call", "create_worker", "decline",
    "finish",
    "get_call", "get_worker", "go_offline", "go_online", "grab", "lock_call", "lock_candidate", "lock_worker",
    "new_call", "open_call", "pause", "plan_for", "relock", "renew", "reopen", "resume", "save_positions", "unlock",
    "update_worker", "win", "withdraw", "worker_of", "workers_of",
]  # fmt: skip
