"""Top-ups: money paid in beforehand, and what is given for it.

Tables    topups, topup_tiers, topup_offers
States    created → paid | closed; closed → paid when its money comes after all (model.TRANSITIONS)
Calls     channels (begin), payments (receive, restore, return, close), wallet, ledger
Hears     money.came, money.refused of its own subjects (`top_…`)
Tells     topup.paid, topup.closed to whoever topped up; marketing hears topup.paid and gives its points and coupons
Deadlines topups.expire, 15 minutes after it was asked for
Promises  a top-up is credited once, principal and bonus money in one transfer with the money's arrival (FR-077);
          what is offered is fixed when it is asked for, and limits count top-ups that still wait; late money is
          credited too, with the bonus only if it is still to be had; money for a top-up that is paid goes back
Source    HS-176, HS-179, 5.7; FR-066, FR-076 to FR-080; docs/decisions/0020-points-and-top-ups.md

Where principal goes: platform → customer:<>:wallet; recharge → customer:<>:prepaid; technician →
customer:<>:credit:<worker>, for orders of that technician alone; worker → worker:<>:wallet, which penalties may have
taken below zero. Bonus money always goes to customer:<>:bonus.
"""

from rest.money.topups.actions import change_offer, change_tier, close, create, create_offer, create_tier
from rest.money.topups.deadlines import DEADLINES
from rest.money.topups.facts import TopupPaid
from rest.money.topups.model import Kind, Offer, Tier, Topup, TopupState
from rest.money.topups.subscribers import SUBSCRIBERS

__all__ = [
    "DEADLINES",
    "SUBSCRIBERS",
    "Kind",
    "Offer",
    "Tier",
    "Topup",
    "TopupPaid",
    "TopupState",
    "change_offer",
    "change_tier",
    "close",
    "create",
    "create_offer",
    "create_tier",
]
