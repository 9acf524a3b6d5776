"""Verbs of channels, by family: attempts, news, refunds, suspense, and what finance asks."""

from rest.money.channels.actions.asking import ask_again
from rest.money.channels.actions.attempts import answer, begin, closed, let_go, refuse
from rest.money.channels.actions.news import take, take_found
from rest.money.channels.actions.refunds import (
    accept,
    ask_now,
    done_by_hand,
    fail,
    find_refund,
    finish,
    give_up,
    hear,
    look_again,
    request,
    retry,
    slow,
    wait,
)
from rest.money.channels.actions.suspense import park

__all__ = [
    "accept",
    "answer",
    "ask_again",
    "ask_now",
    "begin",
    "closed",
    "done_by_hand",
    "fail",
    "find_refund",
    "finish",
    "give_up",
    "hear",
    "let_go",
    "look_again",
    "park",
    "refuse",
    "request",
    "retry",
    "slow",
    "take",
    "take_found",
    "wait",
]
