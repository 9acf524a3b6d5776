"""CSV in UTF-8 with a BOM, since spreadsheets of the region guess otherwise."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

from rest.papers.sheet import Cell, Head, Row, disarmed, written


def write(out: BinaryIO, head: Head, rows: Iterator[Row], totals: Callable[[], list[int]]) -> None:
    """Notes are left out: a CSV is read by programs. `totals` may be asked once the rows are through."""
    text = io.TextIOWrapper(out, encoding="utf-8-sig", errors="replace", newline="", write_through=False)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head.titles)
    for row in rows:
        writer.writerow(_texts(head, row))
    if any(column.is_summed for column in head.columns):
        writer.writerow(_texts(head, head.total_row(totals())))
    text.flush()
    text.detach()


def _texts(head: Head, row: list[Cell] | Row) -> list[str]:
    """Numbers of ours are written as they are; whatever else is text, and text is disarmed."""
    found = []
    for cell, column in zip(row, head.columns, strict=True):
        text = written(cell, column.kind)
        found.append(disarmed(text) if isinstance(cell, str) else text)
    return found
