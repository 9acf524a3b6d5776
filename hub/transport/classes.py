"""The classes of delivery: everything that is sent belongs to one of four, and this table is what that means.

| class | for | may wait, of the buffer | no room left | after a reconnect |
|---|---|---|---|---|
| live | positions, telemetry | a quarter; the latest of each key | lost, the next one comes | the current value |
| command | acks of requests | all | the socket is closed, `slow` | the same `req_id` again |
| fact | offers, orders; `ready`, `closing` | all | the socket is closed, `slow` | what was missed, in order |
| notice | `token.expiring`, `request.failed` | an eighth | lost | nothing |

What yields (live, notice) leaves the buffer when something that does not (command, fact) needs the room.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class DeliveryClass:
    """One row; compared by identity."""

    name: str
    share: int  # it may take the buffer's bytes divided by this
    yields: bool  # lost for want of room, instead of ending the socket


LIVE = DeliveryClass("live", share=4, yields=True)
COMMAND = DeliveryClass("command", share=1, yields=False)
FACT = DeliveryClass("fact", share=1, yields=False)
NOTICE = DeliveryClass("notice", share=8, yields=True)

CLASSES = (LIVE, COMMAND, FACT, NOTICE)

LIVE_WINDOW_S = 0.01
"""How long a live value may wait for a newer one with its key, so that a burst is one write."""

LIVE_COUNT_MAX, LIVE_BYTES_MAX = 128, 1_024
"""So many values, each up to this large, wait in one window; more are written before it ends."""
