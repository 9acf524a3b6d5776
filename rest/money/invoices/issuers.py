"""The contract of issuers, and the one that prints here.

A provider of electronic invoices is one more class with these two methods. It is called in a job, with no transaction
open, at least once: the invoice's id is what it must know a repeated question by.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rest.money.invoices.model import Invoice, Title
from rest.money.invoices.rules import InvoiceRules
from rest.papers.press import Press
from rest.papers.sheet import MEDIA, Column, Format, Head, Row, percent


@dataclass(frozen=True, slots=True)
class Paper:
    """What an issuer gives: the number on it and the file."""

    number: str
    media_type: str
    content: bytes


class IssuerRefused(Exception):
    """The issuer will not do it; its text is for finance."""


class InvoiceIssuer(Protocol):
    """`numbers_come_from_finance`: whether finance must name the number, as with paper and with a portal."""

    @property
    def numbers_come_from_finance(self) -> bool: ...

    async def issue(self, invoice: Invoice) -> Paper:
        """The invoice; `invoice.number` is what finance named. Raises IssuerRefused; OSError when not reached."""
        ...

    async def void(self, invoice: Invoice) -> Paper:
        """The red invoice that takes it back; `invoice.red_number` is what finance named. Raises as `issue`."""
        ...


class PaperIssuer:
    """Prints a receipt-like invoice; the number is the one finance has drawn from its own book."""

    numbers_come_from_finance = True

    def __init__(self, press: Press, rules: InvoiceRules) -> None:
        self._press, self._rules = press, rules

    async def issue(self, invoice: Invoice) -> Paper:
        return await self._printed(invoice, "发票", invoice.number, sign=1)

    async def void(self, invoice: Invoice) -> Paper:
        return await self._printed(invoice, "红字发票", invoice.red_number, sign=-1)

    async def _printed(self, invoice: Invoice, name: str, number: str | None, *, sign: int) -> Paper:
        if not number:
            raise IssuerRefused("no number was given")
        self._press.check(Format.PDF)
        head = Head(
            format=Format.PDF,
            language="zh",
            title=f"{name}  No. {number}",
            notes=_notes(invoice, self._rules, is_red=sign < 0),
            columns=COLUMNS,
        )
        with tempfile.TemporaryFile() as lines:
            await self._press.spool(head, _rows(invoice, sign), lines)
            return Paper(number, MEDIA[Format.PDF], await self._press.make(lines))


COLUMNS = (
    Column("序号", "No.", "count", 6),
    Column("项目", "Item", "text", 40),
    Column("订单", "Order", "text", 32),
    Column("金额（不含税）", "Net", "money", 16, is_summed=True),
    Column("税率", "Rate", "rate", 10),
    Column("税额", "Tax", "money", 14, is_summed=True),
    Column("价税合计", "Gross", "money", 16, is_summed=True),
)


async def _rows(invoice: Invoice, sign: int) -> AsyncIterator[Sequence[Row]]:
    yield [
        (n, line.name, line.subject_id, sign * (line.amount_fen - line.tax_fen), invoice.tax_bps, sign * line.tax_fen,
         sign * line.amount_fen)
        for n, line in enumerate(invoice.printed_lines, start=1)
    ]  # fmt: skip


def _notes(invoice: Invoice, rules: InvoiceRules, *, is_red: bool) -> tuple[str, ...]:
    seller = f"销售方：{rules.seller_name}" + (f"  税号：{rules.seller_tax_no}" if rules.seller_tax_no else "")
    notes = [_buyer(invoice.title), seller, f"税率：{percent(invoice.tax_bps)}  币种：人民币元  单号：{invoice.id}"]
    if is_red:
        notes.append(f"冲销发票：{invoice.number}  原因：{invoice.reason or ''}")
    return (*notes, "本单据由销售方自行打印，不是税务机关的电子发票。")


def _buyer(title: Title) -> str:
    parts = [f"购买方：{title.name}", f"税号：{title.tax_no}" if title.tax_no else "", title.contact or "",
             title.bank or ""]  # fmt: skip
    return "  ".join(part for part in parts if part)
