"""Verbs of channels, by family: attempts, news, refunds."""

from rest.money.channels.actions.attempts import answer, begin, closed, let_go, refuse
from rest.money.channels.actions.news import take, take_found
from rest.money.channels.actions.refunds import accept, done_by_hand, fail, finish, give_up, look_again, request, retry

__all__ = [
    "accept",
    "answer",
    "begin",
    "closed",
    "done_by_hand",
    "fail",
    "finish",
    "give_up",
    "let_go",
    "look_again",
    "refuse",
    "request",
    "retry",
    "take",
    "take_found",
]
