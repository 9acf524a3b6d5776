"""A table on its way to paper: columns, cells, and how each kind of cell is written. Pure.

Money stays integer fen until the last moment and is written from digits, never by dividing. Text that a spreadsheet
would run as a formula is disarmed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

from storage.base.clock import wall_time
from storage.base.money import yuan

Cell = str | int | datetime | None
Row = tuple[Cell, ...]
CellKind = Literal["text", "money", "rate", "count", "instant"]
Language = Literal["zh", "en"]


class Format(StrEnum):
    """What papers are made as."""

    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"


MEDIA = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.PDF: "application/pdf",
}


class Column(msgspec.Struct, frozen=True):
    """One column. Money is fen, a rate basis points. `is_summed`: its sum stands under the table."""

    zh: str
    en: str
    kind: CellKind = "text"
    width: int = 12
    is_summed: bool = False

    def title(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What is known before the rows: the first line the press hands over."""

    format: Format
    language: Language
    title: str
    notes: tuple[str, ...]
    columns: tuple[Column, ...]
    font: str = ""

    @property
    def titles(self) -> list[str]:
        return [column.title(self.language) for column in self.columns]

    @property
    def total_word(self) -> str:
        return "合计" if self.language == "zh" else "Total"

    def total_row(self, totals: Sequence[int]) -> list[Cell]:
        """The row under the table: the word in the first column that has no sum, sums in theirs."""
        sums = iter(totals)
        row: list[Cell] = [next(sums) if column.is_summed else None for column in self.columns]
        word_at = next((n for n, column in enumerate(self.columns) if not column.is_summed), None)
        if word_at is not None:
            row[word_at] = self.total_word
        return row


def add_up(columns: Sequence[Column], totals: Sequence[int], rows: Iterable[Row]) -> list[int]:
    """The totals with these rows in them."""
    places = [n for n, column in enumerate(columns) if column.is_summed]
    sums = list(totals) or [0] * len(places)
    for row in rows:
        for at, place in enumerate(places):
            value = row[place]
            sums[at] += value if isinstance(value, int) else 0
    return sums


def percent(bps: int) -> str:
    """6050 → "60.50%"."""
    return f"{yuan(bps)}%"


def written(cell: Cell, kind: CellKind) -> str:
    """A cell as text for people."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return wall_time(cell)
    if isinstance(cell, int):
        return {"money": yuan, "rate": percent}.get(kind, str)(cell)
    return cell


_STARTS = frozenset("=+-@\t\r\n＝＋－＠|%")
"""With these a cell becomes a formula or a command in one spreadsheet or another, full-width signs included."""


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might run this text. Source: OWASP, CSV injection."""
    bare = text.lstrip(" \u00a0\u3000\ufeff\x00")
    return bool(bare) and bare[0] in _STARTS


def disarmed(text: str) -> str:
    """The text with an apostrophe before whatever would make it a formula."""
    return "'" + text if is_formula(text) else text


def head_line(head: Head) -> bytes:
    return msgspec.json.encode(head)


def page_lines(rows: Sequence[Row]) -> bytes:
    """Rows as lines; the next page follows."""
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def end_line(totals: Sequence[int]) -> bytes:
    """The last line: without it the child knows that something broke off."""
    return msgspec.json.encode({"totals": list(totals)}) + b"\n"


def read_row(values: Sequence[str | int | None], columns: Sequence[Column]) -> Row:
    """A line as a row again."""
    return tuple(
        datetime.fromisoformat(value) if column.kind == "instant" and isinstance(value, str) else value
        for value, column in zip(values, columns, strict=True)
    )


def period_note(since: datetime | None, until: datetime | None, language: Language) -> str:
    """The period as one line of notes."""
    if since is None and until is None:
        return "期间：全部" if language == "zh" else "Period: all"
    ends = [wall_time(at) if at is not None else "…" for at in (since, until)]
    return ("期间：{} – {}" if language == "zh" else "Period: {} – {}").format(*ends)


Named = Mapping[Language, str]
