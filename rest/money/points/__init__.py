"""Points: a customer's points as lots, in step with the book (unit PTS).

Tables    points_purses (the sums, and the lock of all lots of a customer), points_lots, points_uses,
          points_returns
States    a lot: pending → available → gone, piece by piece: held, used, expired, taken back, repaid into a debt
Calls     ledger: customer:<>:points, :points_pending, :points_owed, payment:<>:held_points, platform:points
Tells     points.changed, points.expiring to the customer
Deadlines points.mature, points.remind, points.expire, one of each a lot
Promises  one event gives points once (`ref`); of concurrent spends none gets what is not there; what ends first is
          taken first; earned − used − expired − taken back = available + pending + held − owed, and each of these is
          the balance of its account (I19); what is taken back after it was spent is owed and paid from what comes next
Source    FR-069, FR-091 to FR-098; RV-329 to RV-332; docs/decisions/0020-points-and-top-ups.md

For payments (a tender in points): `hold(tx, account_id, points, holder_id=payment_id)` moves from the customer's
account into `payment:<payment_id>:held_points`; then either `use_held(tx, payment_id)` (they are spent: the account is
0 again) or `release(tx, payment_id)` (they are back in their lots). A refund returns what was used by
`give_back(tx, payment_id, points, ref=…)`. All may be repeated; who has released may hold again. A payment that holds
nothing first takes by `spend(tx, account_id, points, holder_id=payment_id)`. Nobody else posts to these accounts.

What people get points for is not known here: marketing has the rules.
Lock order: whatever the caller holds (order, payment, coupon) → purse → ledger accounts.
"""

from rest.money.points.actions import (
    adjust,
    claw_back,
    earn,
    give_back,
    hold,
    release,
    spend,
    totals,
    use_held,
)
from rest.money.points.deadlines import DEADLINES
from rest.money.points.model import POINTS_MAX, InsufficientPoints, Lot, Totals, as_points

__all__ = [
    "DEADLINES",
    "POINTS_MAX",
    "InsufficientPoints",
    "Lot",
    "Totals",
    "adjust",
    "as_points",
    "claw_back",
    "earn",
    "give_back",
    "hold",
    "release",
    "spend",
    "totals",
    "use_held",
]
