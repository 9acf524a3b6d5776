"""Kinds of exports as domains register them, an export as a value, and the table of its states. Pure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from rest.edge.values import Body, Instant, exactly
from rest.papers.sheet import Column, Format, Language, Named, Row
from storage.base.errors import Conflict, Invalid, Malformed, TooMany


class ExportState(StrEnum):
    """Where an export stands."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


TRANSITIONS: Mapping[tuple[ExportState, str], ExportState] = {
    (ExportState.WAITING, "finish"): ExportState.DONE,
    (ExportState.WAITING, "give_up"): ExportState.FAILED,
}
"""(state, verb) → state. What is not listed is refused."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))

ATTEMPTS_MAX = 3
"""An export that takes its process down three times would do so again."""
WAITING_MAX = 3
"""Exports of one account that wait at once."""
DAY_MAX = 50
"""Exports of one account in 24 hours."""


class WrongExportState(Conflict):
    """This export has ended."""

    code = "export_state"


class KindUnknown(Invalid):
    """There is no such kind of export."""

    code = "export_kind"


class FilterUnknown(Malformed):
    """This kind of export needs other filters."""

    code = "invalid_input"


class ExportLimit(TooMany):
    """You have had enough exports made for now."""

    code = "export_limit"


Word = Annotated[str, Meta(pattern=exactly("[a-z0-9_:]{1,100}"))]
"""A state, a party, a code of an account: what lists are filtered by."""


class Filters(Body, frozen=True, kw_only=True):
    """Which rows: each kind of export takes some of these, with the meaning they have in its list."""

    since: Instant | None = None
    until: Instant | None = None
    state: Word | None = None
    party: Word | None = None
    line: Word | None = None
    account: Word | None = None
    reversed: bool | None = None
    q: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    conversation_id: Word | None = None
    customer_id: Word | None = None
    agent_id: Word | None = None
    order_id: Word | None = None

    @property
    def named(self) -> frozenset[str]:
        return frozenset(name for name in self.__struct_fields__ if getattr(self, name) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows of a kind, for whom. `scope`: what the kind has found out about who asks, such as his worker."""

    account_id: str
    filters: Filters
    scope: Mapping[str, str] = field(default_factory=dict)


Source = Callable[[Any, Wanted], AsyncIterator[Sequence[Row]]]
"""(tx, wanted) → pages of rows, newest first, by keyset."""

Scoping = Callable[[Any, str, Filters], Awaitable[Mapping[str, str]]]
"""(tx, account, filters) → scope. Refuses who may not."""


async def _nothing(_tx: Any, _account_id: str, _filters: Filters) -> Mapping[str, str]:  # noqa: ANN401
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of export: who may have it, which filters it takes, its columns, and where the rows come from."""

    name: str
    title: Named
    roles: tuple[str, ...]
    columns: tuple[Column, ...]
    source: Source
    takes: frozenset[str] = frozenset({"since", "until"})
    needs: frozenset[str] = frozenset()
    scoping: Scoping = _nothing

    def check(self, filters: Filters) -> None:
        """Raises FilterUnknown naming the filter."""
        for name in sorted((filters.named - self.takes) | (self.needs - filters.named)):
            fault = "unknown_field" if name in filters.named else "required"
            error = {"pointer": f"/filters/{name}", "code": fault, "detail": f"{self.name}: {fault}"}
            raise FilterUnknown(field=f"filters.{name}", errors=[error])


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What somebody had made."""

    id: str
    account_id: str
    kind: str
    format: Format
    language: Language
    filters: Filters
    scope: Mapping[str, str]
    state: ExportState
    attempts: int
    claimed_until: datetime | None
    file_id: str | None
    row_count: int | None
    problem: str | None
    created_at: datetime
    ended_at: datetime | None

    def after(self, verb: str, now: datetime) -> Export:
        """Raises WrongExportState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongExportState(state=self.state.value)
        return replace(self, state=state, claimed_until=None, ended_at=now)

    @property
    def wanted(self) -> Wanted:
        return Wanted(account_id=self.account_id, filters=self.filters, scope=self.scope)

    @property
    def file_name(self) -> str:
        return f"{self.kind}-{self.created_at:%Y%m%d-%H%M%S}.{self.format.value}"


def filters_of(raw: Mapping[str, Any]) -> Filters:
    return msgspec.convert(raw, Filters)
