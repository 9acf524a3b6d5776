"""A channel's bill of one day as typed lines, whatever file it came in. Pure.

Amounts are what the payer paid or got back, always positive; a fee is what the channel keeps of a payment, negative
where it gives a part of it back with a refund.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum
from typing import NamedTuple

from rest.money.channels.errors import ChannelRefused

NUMBER_MAX = 64
_WHOLE = re.compile(r"(-?)([0-9]{1,12})\.([0-9]{2})0*", re.ASCII)


class BillNotReady(ChannelRefused):
    """The channel has no bill of this day, or has none yet."""

    def __init__(self) -> None:
        super().__init__("bill_not_ready")


class BillBroken(Exception):
    """What was downloaded is not the bill the channel speaks of."""


class LineKind(StrEnum):
    """What a line is about."""

    PAYMENT = "payment"
    REFUND = "refund"


class LineState(StrEnum):
    """What the channel says of it. A refund may be under way when the bill is made."""

    DONE = "done"
    PROCESSING = "processing"
    FAILED = "failed"


class BillLine(NamedTuple):
    """One line. A tuple, since a day may have a million of them. `out_refund_no` is empty for payments."""

    kind: str
    out_trade_no: str
    out_refund_no: str
    trade_no: str
    amount_fen: int
    fee_fen: int
    at: datetime
    state: str
    merchant: str


@dataclass(slots=True)
class Totals:
    """What the lines read so far sum to, to be compared with what the file says of itself."""

    count: int = 0
    paid_fen: int = 0
    refunded_fen: int = 0

    def add(self, line: BillLine) -> None:
        self.count += 1
        if line.kind == LineKind.PAYMENT:
            self.paid_fen += line.amount_fen
        else:
            self.refunded_fen += line.amount_fen

    def check(self, told: Totals | None) -> None:
        """Raises BillBroken: the file ends early, or its lines are not what its end says."""
        if told != self:
            raise BillBroken(f"the lines are {self}, the file says {told}")


def fen_of(text: str) -> int:
    """Fen of `409.00`, `-2.45000`: half a fen counts as one. Nearly all are whole. Raises BillBroken."""
    if found := _WHOLE.fullmatch(text):
        fen = int(found[2] + found[3])
        return -fen if found[1] else fen
    try:
        return int((Decimal(text) * 100).to_integral_value(ROUND_HALF_UP))
    except (InvalidOperation, ValueError) as wrong:
        raise BillBroken(f"{text[:40]!r} is no amount") from wrong


def plain(text: str) -> str:
    """A number as a column can hold it. Nearly all are so as they come."""
    if text.isascii() and text.isprintable() and len(text) <= NUMBER_MAX:
        return text
    return "".join(sign for sign in text if sign.isascii() and sign.isprintable())[:NUMBER_MAX]
