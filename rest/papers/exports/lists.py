"""What kinds of exports have in common that show a list: its pages, read by id, and a filter by state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol, TypeVar

from rest.papers.exports.model import Filters, FilterUnknown, Scoping
from storage.base.ids import AFTER_ALL_IDS
from storage.tx import Tx

PAGE = 500


class Listed(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=Listed)
K = TypeVar("K")
V = TypeVar("V")


async def pages(
    read: Callable[[str, int], Awaitable[Sequence[T]]], *, size: int = PAGE
) -> AsyncIterator[Sequence[T]]:
    """All of a list, newest first. `read`: so many of those that are older than this id."""
    async for found in pages_by(read, first=AFTER_ALL_IDS, place=lambda one: one.id, size=size):
        yield found


async def pages_by(
    read: Callable[[K, int], Awaitable[Sequence[V]]], *, first: K, place: Callable[[V], K], size: int = PAGE
) -> AsyncIterator[Sequence[V]]:
    """All of a list in its own order. `read`: so many of those after this place; `first` is before them all."""
    after = first
    while True:
        found = await read(after, size)
        yield found
        if len(found) < size:
            return
        after = place(found[-1])


def by_state(states: type[StrEnum]) -> Scoping:
    """Of a list whose `state` is one of these."""

    async def check(_tx: Tx, _account_id: str, filters: Filters) -> Mapping[str, str]:
        """Raises FilterUnknown for a state that is none."""
        if filters.state is not None and filters.state not in set(states):
            raise FilterUnknown(field="filters.state")
        return {}

    return check
