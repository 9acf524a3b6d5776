"""Verbs of the home-service order, by family.

Placing, pool, paying, answering, cancelling, breaking, changing, visiting, refunding, supporting, watching.
"""

from rest.lines.homeservice.actions.answering import accept, ask_again, decide_rejection, reject
from rest.lines.homeservice.actions.breaking import (
    ask_terminate,
    break_off,
    call_off,
    excuse,
    find_customer,
    leave_unmet,
    let_customer_go_on,
    let_technician_go_on,
    miss_customer,
    record_phone_cancel,
    terminate,
)
from rest.lines.homeservice.actions.cancelling import cancel, cancel_for, decide_cancel
from rest.lines.homeservice.actions.changing import change_technician, convert_to_pool
from rest.lines.homeservice.actions.paying import fail_payment, pay, receive_money
from rest.lines.homeservice.actions.placing import Wanted, post, reschedule, reschedule_for
from rest.lines.homeservice.actions.pool import (
    choose,
    choose_for,
    decline,
    find_technician,
    give_time,
    grab,
    lose_candidates,
    quotes_now,
    unbind,
    wait_more,
    withdraw,
)
from rest.lines.homeservice.actions.refunding import SIDE, Wish, ask_refund, preview_refund, refund, reverse_penalty
from rest.lines.homeservice.actions.supporting import compensate, complete, confirm_left_for, end_for, leave_as_is
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
    "ask_again",
    "ask_help",
    "ask_refund",
    "ask_terminate",
    "break_off",
    "call_off",
    "cancel",
    "cancel_for",
    "change_technician",
    "choose",
    "choose_for",
    "compensate",
    "complete",
    "confirm_arrival",
    "confirm_left",
    "confirm_left_for",
    "convert_to_pool",
    "decide_cancel",
    "decide_rejection",
    "decline",
    "depart",
    "end",
    "end_for",
    "excuse",
    "fail_payment",
    "find_customer",
    "find_technician",
    "give_time",
    "grab",
    "leave",
    "leave_as_is",
    "leave_unmet",
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
    "reschedule_for",
    "reverse_penalty",
    "start",
    "terminate",
    "unbind",
    "wait_more",
    "withdraw",
]
