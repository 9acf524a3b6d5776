"""The order as a value, and the shape of the transition tables that lines bring."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from storage.base.clock import BUSINESS_ZONE
from storage.base.errors import Conflict, Denied


class Role(StrEnum):
    """Who acts on an order."""

    CUSTOMER = "customer"
    WORKER = "worker"
    STAFF = "staff"
    SYSTEM = "system"


class By(NamedTuple):
    """The actor of one step: a customer or staff account, a worker, or the system."""

    role: Role
    id: str = ""

    def __str__(self) -> str:
        return f"{self.role}:{self.id}" if self.id else str(self.role)


SYSTEM = By(Role.SYSTEM)


class WrongState(Conflict):
    """The order's state does not allow this."""

    code = "invalid_state"


class WrongActor(Denied):
    """This step belongs to somebody else."""

    code = "forbidden"


@dataclass(frozen=True, slots=True)
class Order:
    """What every order of every line has. Units: fen; instants aware UTC; `provider_id` is a worker."""

    id: str
    no: str
    line: str
    kind: str
    mode: str
    parent_id: str | None
    customer_id: str
    provider_id: str | None
    call_id: str | None
    status: str
    status_before_cancel: str | None
    version: int
    total_fen: int
    paid_fen: int
    refunded_fen: int
    refund_reserved_fen: int
    snapshot: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None

    @property
    def kept_fen(self) -> int:
        """What was paid and not given back."""
        return self.paid_fen - self.refunded_fen


@dataclass(frozen=True, slots=True)
class Event:
    """One step of an order's timeline; `n` counts from 1 without gaps and equals the version it made."""

    order_id: str
    n: int
    at: datetime
    actor: str
    verb: str
    from_status: str | None
    to_status: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Transition:
    """What one verb does in one status: where it may lead, who may do it, and which effects run."""

    to: tuple[str, ...]
    roles: frozenset[Role]
    effects: tuple[str, ...] = ()


Table = Mapping[tuple[str, str], Transition]
"""(status, verb) → transition. What is not listed is refused with `invalid_state`."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A line's state machine as data. `initial` is where an order begins, `terminal` absorbs."""

    line: str
    statuses: tuple[str, ...]
    initial: str
    terminal: frozenset[str]
    table: Table
    verbs: tuple[str, ...] = field(init=False)
    _allowed: Mapping[tuple[str, Role], tuple[str, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "verbs", tuple(dict.fromkeys(verb for _, verb in self.table)))
        may = {
            (status, role): tuple(
                sorted(verb for (at, verb), row in self.table.items() if at == status and role in row.roles)
            )
            for status in self.statuses
            for role in Role
        }
        object.__setattr__(self, "_allowed", may)
        known = set(self.statuses)
        for (status, verb), row in self.table.items():
            if status not in known or not row.to or not known.issuperset(row.to):
                raise ValueError(f"{self.line}: {verb} in {status} names an unknown status")
            if not row.roles:
                raise ValueError(f"{self.line}: nobody may {verb} in {status}")

    def allowed(self, status: str, role: Role) -> tuple[str, ...]:
        """The verbs this role has in this status, sorted; what a client may show as buttons."""
        return self._allowed[status, role]

    def decide(self, status: str, verb: str, by: By, to: str | None = None) -> tuple[Transition, str]:
        """The row for (status, verb) and the next status.

        `to` picks one where the row has several. Raises WrongState, WrongActor.
        """
        row = self.table.get((status, verb))
        if row is None:
            raise WrongState(status=status, verb=verb, allowed=self.allowed(status, by.role))
        if by.role not in row.roles:
            raise WrongActor(verb=verb)
        chosen = row.to[0] if to is None and len(row.to) == 1 else to
        if chosen is None or chosen not in row.to:
            raise AssertionError(f"{verb} in {status} must lead to one of {row.to}, not {to}")
        return row, chosen


def rows(statuses: Iterable[str], verb: str, row: Transition) -> dict[tuple[str, str], Transition]:
    """The same row for several statuses; lets a table say a rule once."""
    return {(status, verb): row for status in statuses}


def new_no(now: datetime) -> str:
    """An order number people can read out: business date and 14 random digits; says nothing about volume.

    Source: orders conventions (numbers never expose sequences).
    """
    digits = int.from_bytes(os.urandom(8), "big") % 10**14
    day = now.astimezone(BUSINESS_ZONE)
    return f"{day.year % 100:02}{day.month:02}{day.day:02}{digits:014}"
