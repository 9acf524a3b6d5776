"""XLSX, row by row: only the row being written is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import BinaryIO

import xlsxwriter

from rest.papers.sheet import Cell, Head, Row, is_formula
from storage.base.clock import BUSINESS_ZONE

OPTIONS = {
    "constant_memory": True,
    # Text is text, whatever it begins with.
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
TEXT_MAX = 32_767
"""Characters a cell holds."""
NUMBERS = {"money": "#,##0.00", "rate": "0.00%", "count": "0", "instant": "yyyy-mm-dd hh:mm:ss", "text": "@"}
DECIMALS = {"money": 2, "rate": 4}


def write(out: BinaryIO, head: Head, rows: Iterator[Row], totals: Callable[[], list[int]]) -> None:
    book = xlsxwriter.Workbook(out, OPTIONS)
    sheet = Sheet(book, head)
    for row in rows:
        sheet.add(row)
    if any(column.is_summed for column in head.columns):
        sheet.add(head.total_row(totals()), is_bold=True)
    book.close()


class Sheet:
    """The one sheet of a workbook, written from the top."""

    def __init__(self, book: xlsxwriter.Workbook, head: Head) -> None:
        self._sheet, self._columns, self._line = book.add_worksheet(), head.columns, 0
        self._looks = {
            is_bold: {kind: book.add_format({"num_format": shape, "bold": is_bold}) for kind, shape in NUMBERS.items()}
            for is_bold in (False, True)
        }
        self._quoted = book.add_format({"num_format": "@", "quote_prefix": True})
        for place, column in enumerate(head.columns):
            self._sheet.set_column(place, place, column.width)
        for text in (head.title, *head.notes):
            self._text(0, text, is_bold=text is head.title)
            self._line += 1
        for place, title in enumerate(head.titles):
            self._text(place, title, is_bold=True)
        self._line += 1
        self._sheet.freeze_panes(self._line, 0)

    def add(self, row: Sequence[Cell], *, is_bold: bool = False) -> None:
        for place, (cell, column) in enumerate(zip(row, self._columns, strict=True)):
            look = self._looks[is_bold][column.kind]
            if isinstance(cell, str):
                self._text(place, cell, is_bold=is_bold)
            elif isinstance(cell, datetime):
                wall = cell.astimezone(BUSINESS_ZONE).replace(tzinfo=None)
                self._sheet.write_datetime(self._line, place, wall, look)
            elif isinstance(cell, int):
                number = Decimal(cell).scaleb(-DECIMALS.get(column.kind, 0))
                self._sheet.write_number(self._line, place, number, look)
        self._line += 1

    def _text(self, place: int, text: str, *, is_bold: bool) -> None:
        """Always as text; what looks like a formula stays text also when somebody edits the cell."""
        look = self._quoted if is_formula(text) else self._looks[is_bold]["text"]
        self._sheet.write_string(self._line, place, text[:TEXT_MAX], look)
