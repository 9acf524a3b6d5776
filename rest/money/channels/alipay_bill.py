"""Alipay's business bill: a zip of CSV files in GBK, a tab behind every value, remarks in lines that begin with `#`.

Of its files those with `汇总` (sums by shop) are left alone; the others have an account in their first remarks and sums
in their last ones. Whether the zip is whole its own checksums tell.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from rest.money.channels.bills import BillBroken, BillLine, LineKind, LineState, fen_of, plain
from storage.base.clock import BUSINESS_ZONE

_TRADE_NO, _OUT_NO, _KIND, _ENDED = "支付宝交易号", "商户订单号", "业务类型", "完成时间"
_AMOUNT, _OUT_REFUND_NO, _FEE = "订单金额（元）", "退款批次号/请求号", "服务费（元）"
_NAMES = (_TRADE_NO, _OUT_NO, _KIND, _ENDED, _AMOUNT, _OUT_REFUND_NO, _FEE)
_KINDS = {"交易": LineKind.PAYMENT, "退款": LineKind.REFUND}
_ACCOUNT = re.compile(r"#账号：\[([0-9]{16})[0-9]*\]")
_COUNTS = re.compile(r"#(?:交易|退款)合计：([0-9]+)笔")


def check(path: Path) -> None:
    """Raises BillBroken."""
    try:
        with zipfile.ZipFile(path) as packed:
            broken = packed.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as wrong:
        raise BillBroken("it cannot be unpacked") from wrong
    if broken is not None:
        raise BillBroken("a file in it is damaged")


def read(path: Path) -> Iterator[BillLine]:
    """The lines of a bill that was checked. Raises BillBroken."""
    with zipfile.ZipFile(path) as packed:
        names = [name for info in packed.infolist() if "汇总" not in (name := _name(info)) and name.endswith(".csv")]
        if not names:
            raise BillBroken("no file of lines in it")
        for info in packed.infolist():
            if _name(info) in names:
                with packed.open(info) as file:
                    yield from _read(io.TextIOWrapper(file, "gb18030", newline=""))


def _name(info: zipfile.ZipInfo) -> str:
    """Names are GBK too, which a zip does not say."""
    if info.flag_bits & 0x800:
        return info.filename
    return info.filename.encode("cp437", "replace").decode("gb18030", "replace")


def _read(file: io.TextIOWrapper) -> Iterator[BillLine]:
    account, places, count, told = "", None, 0, 0
    try:
        for values in csv.reader(file):
            if values and values[0].startswith("#"):
                account, told = _remark(",".join(values), account, told)
            elif places is None:
                places = _places([value.strip() for value in values])
            elif values:
                count += 1
                yield _line(values, places, account)
    except (UnicodeDecodeError, IndexError, ValueError, csv.Error) as wrong:
        raise BillBroken("a line that cannot be read") from wrong
    if places is None or count != told:
        raise BillBroken(f"{count} lines, the file says {told}")


def _remark(text: str, account: str, told: int) -> tuple[str, int]:
    """Whose lines these are, and how many of them the file says it has, both kinds together."""
    if found := _ACCOUNT.match(text):
        return found[1], told
    found = _COUNTS.match(text)
    return account, told + int(found[1]) if found else told


def _places(header: list[str]) -> list[int]:
    missing = [name for name in _NAMES if name not in header]
    if missing:
        raise BillBroken(f"no column {missing[0]}")
    return [header.index(name) for name in _NAMES]


def _line(values: list[str], places: list[int], account: str) -> BillLine:
    trade_no, out_no, kind_name, ended, amount, out_refund_no, fee = (values[place].strip() for place in places)
    kind = _KINDS.get(kind_name)
    if kind is None:
        raise BillBroken(f"a line of kind {kind_name[:20]}")
    fee_fen = abs(fen_of(fee))  # written as seen from the account: taken below zero, given back above
    return BillLine(
        kind=kind.value,
        out_trade_no=plain(out_no),
        out_refund_no=plain(out_refund_no) if kind is LineKind.REFUND else "",
        trade_no=plain(trade_no),
        amount_fen=abs(fen_of(amount)),
        fee_fen=fee_fen if kind is LineKind.PAYMENT else -fee_fen,
        at=datetime.fromisoformat(ended).replace(tzinfo=BUSINESS_ZONE),
        state=LineState.DONE.value,
        merchant=account,
    )
