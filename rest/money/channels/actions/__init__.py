"""Verbs of channels, by family: attempts, news, refunds, suspense, and what finance does about strays."""

from rest.money.channels.actions.attempts import answer, begin, closed, let_go, refuse
from rest.money.channels.actions.news import take, take_found
from rest.money.channels.actions.refunds import (
    accept,
    done_by_hand,
    fail,
    finish,
    give_up,
    hear,
    look_again,
    request,
    retry,
)
from rest.money.channels.actions.strays import ask_again, give_back_stray, note_handled
from rest.money.channels.actions.suspense import park

__all__ = [
    "accept",
    "answer",
    "ask_again",
    "begin",
    "closed",
    "done_by_hand",
    "fail",
    "finish",
    "give_back_stray",
    "give_up",
    "hear",
    "let_go",
    "look_again",
    "note_handled",
    "park",
    "refuse",
    "request",
    "retry",
    "take",
    "take_found",
]
