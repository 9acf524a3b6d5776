"""WeChat's trade bill: CSV in UTF-8, a backtick before every value, two lines of sums at the end.

Columns are found by their names in the first line: WeChat adds some now and then. A value may hold commas, so lines are
cut at a comma followed by a backtick.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, cast

from rest.money.channels.bills import BillBroken, BillLine, LineKind, LineState, Totals, fen_of, plain

READ_BYTES = 1 << 20
_AT, _MERCHANT, _TRADE_NO, _OUT_NO = "交易时间", "商户号", "微信订单号", "商户订单号"
_STATE, _OUT_REFUND_NO, _REFUND_STATE = "交易状态", "商户退款单号", "退款状态"
_FEE, _AMOUNT, _REFUNDED = "手续费", "订单金额", "申请退款金额"
_NAMES = (_AT, _MERCHANT, _TRADE_NO, _OUT_NO, _STATE, _OUT_REFUND_NO, _REFUND_STATE, _FEE, _AMOUNT, _REFUNDED)
_COUNT, _PAID_SUM, _REFUNDED_SUM = "总交易单数", "订单总金额", "申请退款总金额"
_REFUND_STATES = {"SUCCESS": LineState.DONE.value, "PROCESSING": LineState.PROCESSING.value}
_GZIP = b"\x1f\x8b"
_PAYMENT, _REFUND = LineKind.PAYMENT.value, LineKind.REFUND.value
_DONE, _FAILED = LineState.DONE.value, LineState.FAILED.value
_ZONE = "+08:00"


def check_hash(path: Path, kind: str, value: str) -> None:
    """The digest is of the bill itself, not of its compressed form. Raises BillBroken."""
    if kind != "SHA1":
        raise BillBroken(f"an unknown digest {kind[:20]}")
    digest = hashlib.sha1(usedforsecurity=False)
    try:
        with _open(path) as file:
            while block := file.read(READ_BYTES):
                digest.update(block)
    except (OSError, EOFError, zlib.error) as wrong:
        raise BillBroken("it cannot be unpacked") from wrong
    if digest.hexdigest() != value.lower():
        raise BillBroken("its digest is another one")


def read(path: Path) -> Iterator[BillLine]:
    """The lines of a bill that was checked; at the end the sums are. Raises BillBroken."""
    totals = Totals()
    with _open(path) as file:
        rows = (raw.decode("utf-8").rstrip("\r\n") for raw in file)
        try:
            pick = itemgetter(*_places(next(rows, "").removeprefix("\ufeff").split(",")))
            for row in rows:
                if not row.startswith("`"):
                    totals.check(_told(row, next(rows, "")))
                    return
                line = _line(*pick(row[1:].split(",`")))
                totals.add(line)
                yield line
        except (UnicodeDecodeError, IndexError, ValueError) as wrong:
            raise BillBroken("a line that cannot be read") from wrong
    raise BillBroken("it has no end")


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        is_packed = file.read(2) == _GZIP
    return cast("BinaryIO", gzip.open(path, "rb")) if is_packed else path.open("rb")


def _places(header: list[str]) -> list[int]:
    missing = [name for name in _NAMES if name not in header]
    if missing:
        raise BillBroken(f"no column {missing[0]}")
    return [header.index(name) for name in _NAMES]


def _line(  # noqa: PLR0917 - the columns of `_NAMES`
    at: str, merchant: str, trade_no: str, out_no: str, state: str, out_refund_no: str, refund_state: str, fee: str,
    amount: str, refunded: str,
) -> BillLine:  # fmt: skip
    is_refund = state == "REFUND"
    done = _REFUND_STATES.get(refund_state, _FAILED) if is_refund else _DONE
    return BillLine(
        _REFUND if is_refund else _PAYMENT,
        plain(out_no),
        plain(out_refund_no) if is_refund else "",
        plain(trade_no),
        fen_of(refunded if is_refund else amount),
        fen_of(fee),
        datetime.fromisoformat(at + _ZONE),
        done if is_refund or state == "SUCCESS" else _FAILED,
        plain(merchant),
    )


def _told(names: str, values: str) -> Totals:
    told = dict(zip(names.split(","), values[1:].split(",`"), strict=False))
    if not {_COUNT, _PAID_SUM, _REFUNDED_SUM} <= told.keys():
        raise BillBroken("its sums are not there")
    return Totals(int(told[_COUNT]), fen_of(told[_PAID_SUM]), fen_of(told[_REFUNDED_SUM]))
