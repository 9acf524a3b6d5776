"""Verbs of shares, by family: receivers, splits, returns."""

from rest.money.shares.actions.receivers import bind, unbind

__all__ = ["bind", "unbind"]
