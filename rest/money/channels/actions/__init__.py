"""Verbs of channels, by family: attempts, news, refunds, and what finance does about strays."""

from rest.money.channels.actions.attempts import answer, begin, closed, let_go, refuse
from rest.money.channels.actions.news import take, take_found
from rest.money.channels.actions.refunds import accept, done_by_hand, fail, finish, give_up, look_again, request, retry
from rest.money.channels.actions.strays import ask_again, give_back_stray, note_handled

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
    "let_go",
    "look_again",
    "note_handled",
    "refuse",
    "request",
    "retry",
    "take",
    "take_found",
]
