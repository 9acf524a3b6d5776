"""Verbs of reconciliation, by family: runs, the comparison, differences, months."""

from rest.money.reconciliation.actions.comparing import compare
from rest.money.reconciliation.actions.differences import answer, resolve
from rest.money.reconciliation.actions.months import compare_month, days_of
from rest.money.reconciliation.actions.runs import begin_days, claim, delay, is_idle, start, start_again

__all__ = [
    "answer",
    "begin_days",
    "claim",
    "compare",
    "compare_month",
    "days_of",
    "delay",
    "is_idle",
    "resolve",
    "start",
    "start_again",
]
