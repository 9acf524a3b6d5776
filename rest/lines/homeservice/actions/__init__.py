"""Verbs of the home-service order, by family.

Placing, pool, paying, answering, cancelling, visiting, refunding, watching.
"""

from rest.lines.homeservice.actions.answering import accept, decide_rejection, reject
from rest.lines.homeservice.actions.cancelling import cancel, decide_cancel
from rest.lines.homeservice.actions.paying import fail_payment, pay, receive_money
from rest.lines.homeservice.actions.placing import Wanted, post, reschedule
from rest.lines.homeservice.actions.pool import choose, decline, grab, lose_candidates, unbind, withdraw
from rest.lines.homeservice.actions.refunding import refund
from rest.lines.homeservice.actions.visiting import (
    arrive,
    ask_help,
    confirm_arrival,
    confirm_left,
    depart,
    end,
    leave,
    start,
)

__all__ = [
    "Wanted",
    "accept",
    "arrive",
    "ask_help",
    "cancel",
    "choose",
    "confirm_arrival",
    "confirm_left",
    "decide_cancel",
    "decide_rejection",
    "decline",
    "depart",
    "end",
    "fail_payment",
    "grab",
    "leave",
    "lose_candidates",
    "pay",
    "post",
    "receive_money",
    "refund",
    "reject",
    "reschedule",
    "start",
    "unbind",
    "withdraw",
]
