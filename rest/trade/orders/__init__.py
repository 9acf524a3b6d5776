"""Orders: the kernel every line's order runs on; it knows no line.

Owns      orders (status, version, money columns), order_events (the timeline), order_lines (what a fixed price is made
          of: never changed, a new set under each epoch)
States    each line brings its own table: (status, verb) → Transition(to, roles, effects named)
Promises  only transitions in the table happen; version + 1 and one event per step, numbered without gaps;
          terminal states absorb; refunded + reserved never exceeds paid (also a CHECK)
Locks     gate → workers → order → call → booking → ledger accounts
Tells     order.changed, tracking.ended; money.order_refunded, to domains above
"""

from rest.trade.orders.access import (
    lock_for_customer,
    lock_for_system,
    lock_for_worker,
    read_for_customer,
    read_for_staff,
    read_for_worker,
)
from rest.trade.orders.executor import Line, Step, apply, guard, is_repeat
from rest.trade.orders.facts import OrderChanged, OrderRefunded, TrackingEnded
from rest.trade.orders.model import (
    SYSTEM,
    By,
    Event,
    Machine,
    Order,
    Role,
    Transition,
    WrongState,
    new_no,
    rows,
)
from rest.trade.orders.store import (
    ORDER_COLUMNS,
    events,
    lines_of,
    numbers_of,
    order_of,
    order_of_call,
    parties_of,
    write_lines,
)

__all__ = [
    "ORDER_COLUMNS",
    "SYSTEM",
    "By",
    "Event",
    "Line",
    "Machine",
    "Order",
    "OrderChanged",
    "OrderRefunded",
    "Role",
    "Step",
    "TrackingEnded",
    "Transition",
    "WrongState",
    "apply",
    "events",
    "guard",
    "is_repeat",
    "lines_of",
    "lock_for_customer",
    "lock_for_system",
    "lock_for_worker",
    "new_no",
    "numbers_of",
    "order_of",
    "order_of_call",
    "parties_of",
    "read_for_customer",
    "read_for_staff",
    "read_for_worker",
    "rows",
    "write_lines",
]
