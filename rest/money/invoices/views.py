"""What invoices look like over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest.edge.values import Body, Id, Line, Money, PageQuery, exactly
from rest.money.invoices.model import Event, Invoice, InvoiceState, KnownTitle

TaxNo = Annotated[str, Meta(pattern=exactly("[0-9A-Z]{18}"), examples=["91350100M000100Y43"])]
Number = Annotated[str, Meta(pattern=exactly("[0-9A-Za-z-]{4,40}"), examples=["26512000000012345678"])]


class TitleBody(Body, frozen=True, kw_only=True):
    """To whom: a person, or a company with its tax number (18 signs, with a check sign)."""

    kind: Literal["personal", "company"]
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    tax_no: TaxNo | None = None
    contact: Line | None = None
    bank: Line | None = None


class TitleView(msgspec.Struct, frozen=True, kw_only=True):
    """A saved title."""

    id: str
    kind: str
    name: str
    tax_no: str | None
    contact: str | None
    bank: str | None
    created_at: datetime

    @classmethod
    def of(cls, known: KnownTitle) -> TitleView:
        title = known.title
        return cls(
            id=known.id,
            kind=title.kind,
            name=title.name,
            tax_no=title.tax_no,
            contact=title.contact,
            bank=title.bank,
            created_at=known.created_at,
        )


class InvoiceBody(Body, frozen=True, kw_only=True):
    """One invoice over these orders, made out to this title."""

    title_id: Id
    order_ids: Annotated[list[Id], Meta(min_length=1, max_length=50)]


class InvoiceLineView(msgspec.Struct, frozen=True, kw_only=True):
    """One order: what it keeps, and the tax in it."""

    order_id: str
    name: str
    amount: Money
    tax: Money


class InvoiceStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: who did what, and why."""

    at: datetime
    by: str
    verb: str
    from_state: str | None
    to_state: str
    detail: str | None

    @classmethod
    def of(cls, event: Event) -> InvoiceStep:
        return cls(
            at=event.at,
            by=event.actor,
            verb=event.verb,
            from_state=event.from_state,
            to_state=event.to_state,
            detail=event.detail,
        )


class InvoiceView(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice; `amount` includes `tax`. `needs_correction`: money went back after it was issued."""

    id: str
    account_id: str
    state: InvoiceState
    title_kind: str
    title_name: str
    tax_no: str | None
    amount: Money
    tax: Money
    tax_rate_bps: int
    needs_correction: bool
    number: str | None
    red_number: str | None
    has_file: bool
    reason: str | None
    replaces_id: str | None
    lines: list[InvoiceLineView]
    version: int
    requested_at: datetime
    changed_at: datetime
    events: list[InvoiceStep] | None = None

    @classmethod
    def of(cls, invoice: Invoice, events: list[Event] | None = None) -> InvoiceView:
        return cls(
            id=invoice.id,
            account_id=invoice.account_id,
            state=invoice.state,
            title_kind=invoice.title.kind,
            title_name=invoice.title.name,
            tax_no=invoice.title.tax_no,
            amount=Money(invoice.amount_fen),
            tax=Money(invoice.tax_fen),
            tax_rate_bps=invoice.tax_bps,
            needs_correction=invoice.needs_red,
            number=invoice.number,
            red_number=invoice.red_number,
            has_file=invoice.file_id is not None,
            reason=invoice.reason,
            replaces_id=invoice.replaces_id,
            lines=[
                InvoiceLineView(
                    order_id=line.subject_id, name=line.name, amount=Money(line.amount_fen), tax=Money(line.tax_fen)
                )
                for line in invoice.printed_lines
            ],
            version=invoice.version,
            requested_at=invoice.requested_at,
            changed_at=invoice.changed_at,
            events=None if events is None else [InvoiceStep.of(event) for event in events],
        )


class InvoiceQuery(PageQuery, frozen=True, kw_only=True):
    """Which ones: in this state, marked for correction or not."""

    state: InvoiceState | None = None
    needs_correction: bool | None = None


class AcceptBody(Body, frozen=True, kw_only=True):
    """The number it is issued under, where finance draws the numbers."""

    number: Number | None = None


class RejectBody(Body, frozen=True, kw_only=True):
    """Why not; the customer reads it."""

    reason: Line


class VoidBody(Body, frozen=True, kw_only=True):
    """Why it is taken back, the number of the red invoice, and whether a new one shall be asked for at once."""

    reason: Line
    number: Number | None = None
    reissue: bool = False
