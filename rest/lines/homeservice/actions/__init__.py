"""Verbs of the home-service order, by family.

Placing, pool, paying, answering, cancelling, breaking, changing, visiting, refunding, watching.
"""

from rest.lines.homeservice.actions.answering import accept, decide_rejection, reject
from rest.lines.homeservice.actions.breaking import (
    ask_terminate,
    break_off,
    excuse,
    find_customer,
    let_customer_go_on,
    let_technician_go_on,
    miss_customer,
    record_phone_cancel,
    terminate,
)
from rest.lines.homeservice.actions.cancelling import cancel, decide_cancel
from rest.lines.homeservice.actions.changing import change_technician
from rest.lines.homeservice.actions.paying import fail_payment, pay, receive_money
from rest.lines.homeservice.actions.placing import Wanted, post, reschedule
from rest.lines.homeservice.actions.pool import choose, decline, grab, lose_candidates, quotes_now, unbind, withdraw
from rest.lines.homeservice.actions.refunding import SIDE, Wish, ask_refund, preview_refund, refund, reverse_penalty
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
    "SIDE",
    "Wanted",
    "Wish",
    "accept",
    "arrive",
    "ask_help",
    "ask_refund",
    "ask_terminate",
    "break_off",
    "cancel",
    "change_technician",
    "choose",
    "confirm_arrival",
    "confirm_left",
    "decide_cancel",
    "decide_rejection",
    "decline",
    "depart",
    "end",
    "excuse",
    "fail_payment",
    "find_customer",
    "grab",
    "leave",
    "let_customer_go_on",
    "let_technician_go_on",
    "lose_candidates",
    "miss_customer",
    "pay",
    "post",
    "preview_refund",
    "quotes_now",
    "receive_money",
    "record_phone_cancel",
    "refund",
    "reject",
    "reschedule",
    "reverse_penalty",
    "start",
    "terminate",
    "unbind",
    "withdraw",
]
