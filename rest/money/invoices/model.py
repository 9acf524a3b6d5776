"""Titles and invoices as values, the table of an invoice's states, and what is refused. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from rest.money.invoices.tax import split_tax
from storage.base.errors import Conflict, Invalid, Malformed


class InvoiceState(StrEnum):
    """Where an invoice stands; in `issuing` and `voiding` the issuer has been asked."""

    REQUESTED = "requested"
    ISSUING = "issuing"
    ISSUED = "issued"
    REJECTED = "rejected"
    VOIDING = "voiding"
    VOIDED = "voided"


_REQUESTED, _ISSUING, _ISSUED, _REJECTED, _VOIDING, _VOIDED = InvoiceState

TRANSITIONS: Mapping[tuple[InvoiceState, str], InvoiceState] = {
    (_REQUESTED, "accept"): _ISSUING,
    (_REQUESTED, "reject"): _REJECTED,
    # Money given back: before anybody has decided the invoice shrinks, afterwards it is wrong and says so.
    (_REQUESTED, "reduce"): _REQUESTED,
    (_REQUESTED, "drop"): _REJECTED,
    (_ISSUING, "flag"): _ISSUING,
    (_ISSUED, "flag"): _ISSUED,
    (_VOIDING, "flag"): _VOIDING,
    (_ISSUING, "issue"): _ISSUED,
    (_ISSUING, "refuse"): _REQUESTED,
    (_ISSUED, "void"): _VOIDING,
    (_VOIDING, "finish_void"): _VOIDED,
    (_VOIDING, "refuse"): _ISSUED,
}
"""(state, verb) → state. What is not listed is refused."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))
FREE = frozenset({_REJECTED, _VOIDED})
"""States of invoices whose orders may be invoiced anew."""


class WrongInvoiceState(Conflict):
    """This invoice is past that."""

    code = "invoice_state"


class AlreadyInvoiced(Conflict):
    """One of these orders has an invoice."""

    code = "already_invoiced"


class InvoiceNumberUsed(Conflict):
    """This number has been given to another invoice."""

    code = "invoice_number_used"


class NotInvoiceable(Invalid):
    """One of these orders has not ended, or keeps no money."""

    code = "not_invoiceable"


class TaxNumber(Malformed):
    """This is no unified social credit code; look at it again."""

    code = "tax_number"


class TitleLimit(Conflict):
    """You have as many invoice titles as one may have."""

    code = "title_limit"


class Title(msgspec.Struct, frozen=True, kw_only=True):
    """To whom an invoice is made out; a company has a tax number. `contact`: registered address and telephone."""

    kind: str
    name: str
    tax_no: str | None = None
    contact: str | None = None
    bank: str | None = None


@dataclass(frozen=True, slots=True)
class KnownTitle:
    """A title somebody has saved."""

    id: str
    account_id: str
    title: Title
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Something that was paid for. `kept_fen`: paid less given back; `is_final`: nothing more is charged for it."""

    subject_id: str
    customer_id: str
    name: str
    kept_fen: int
    is_final: bool


class Billing(Protocol):
    """Whoever has what is paid for, wired in from above."""

    async def bills(self, tx: Any, subject_ids: Sequence[str]) -> list[Bill]:  # noqa: ANN401 - a Tx; models are pure
        """These, as far as they exist, held still until the transaction ends. Lock order: before invoices."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One order on an invoice; `amount_fen` includes the tax. One that is not live stands for nothing any more."""

    n: int
    subject_id: str
    name: str
    amount_fen: int
    tax_fen: int
    is_live: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice. `reissue`: when it is voided, a new one is asked for at once."""

    id: str
    account_id: str
    title: Title
    state: InvoiceState
    tax_bps: int
    amount_fen: int
    tax_fen: int
    needs_red: bool
    number: str | None
    red_number: str | None
    file_id: str | None
    red_file_id: str | None
    reason: str | None
    reissue: bool
    replaces_id: str | None
    version: int
    requested_at: datetime
    changed_at: datetime
    lines: tuple[InvoiceLine, ...]

    def after(self, verb: str, now: datetime) -> Invoice:
        """Its orders are free again where it ends. Raises WrongInvoiceState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongInvoiceState(state=self.state.value)
        lines = self.lines
        if state in FREE:
            lines = tuple(replace(line, is_live=False) for line in lines)
        return replace(self, state=state, version=self.version + 1, changed_at=now, lines=lines)

    def amounting_to(self, kept: Mapping[str, int]) -> Invoice:
        """With these amounts by subject; one that keeps nothing leaves the invoice. Tax is split anew."""
        amounts = [kept.get(line.subject_id, 0) if line.is_live else 0 for line in self.lines]
        taxes = split_tax(amounts, self.tax_bps)
        lines = tuple(
            replace(line, amount_fen=amount, tax_fen=tax, is_live=line.is_live and amount > 0)
            for line, amount, tax in zip(self.lines, amounts, taxes, strict=True)
        )
        return replace(self, lines=lines, amount_fen=sum(amounts), tax_fen=sum(taxes))

    @property
    def subjects(self) -> list[str]:
        """What it stands for, sorted: the order in which they are locked."""
        return sorted(line.subject_id for line in self.lines if line.is_live)

    @property
    def printed_lines(self) -> list[InvoiceLine]:
        """Those with an amount: also of an invoice that has ended."""
        return [line for line in self.lines if line.amount_fen > 0]


@dataclass(frozen=True, slots=True)
class Event:
    """One step of an invoice."""

    invoice_id: str
    n: int
    at: datetime
    actor: str
    verb: str
    from_state: str | None
    to_state: str
    detail: str | None
