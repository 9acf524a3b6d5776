"""PDF with an embedded font that has Chinese: a table over as many pages as it takes, or a form of one page.

Without the font nothing is printed: a paper full of boxes is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from fpdf import FPDF

from rest.papers.sheet import Cell, Head, Row, written

FAMILY = "paper"
MARGIN_MM = 12.0
ROW_MM = 5.0
SIZE_PT = 7.0
TITLE_PT = 13.0
UNKNOWN = "?"
"""For what the font has no picture of."""


class FontMissing(Exception):
    """The font that papers are printed with is not where it should be."""


class Paper(FPDF):
    """A document with our font and numbered pages."""

    def __init__(self, font: str, *, landscape: bool) -> None:
        super().__init__(orientation="L" if landscape else "P", format="A4")
        if not font or not Path(font).is_file():
            raise FontMissing(font)
        self.add_font(FAMILY, "", font)
        self.set_font(FAMILY, size=SIZE_PT)
        self._known = frozenset(getattr(self.fonts[FAMILY], "cmap"))  # noqa: B009 - every font of a file has one
        self.set_draw_color(190, 198, 202)
        self.set_line_width(0.1)
        self.set_margins(MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(auto=False)
        self.alias_nb_pages()

    def footer(self) -> None:
        self.set_y(-MARGIN_MM)
        self.set_font(FAMILY, size=SIZE_PT)
        self.cell(0, ROW_MM, f"{self.page_no()} / {{nb}}", align="C")

    def clean(self, text: str) -> str:
        """The text in one line, without what the font cannot show."""
        return "".join(sign if ord(sign) in self._known and sign.isprintable() else UNKNOWN for sign in text)

    def fitted(self, text: str, width: float) -> str:
        """The text, cut with an ellipsis where it is too wide."""
        text = self.clean(text)
        if self.get_string_width(text) <= width - 1:
            return text
        while text and self.get_string_width(text + "…") > width - 1:
            text = text[:-1]
        return text + "…"


def write(out: BinaryIO, head: Head, rows: Iterator[Row], totals: Callable[[], list[int]]) -> None:
    paper = Paper(head.font, landscape=True)
    widths = _widths(paper, head)
    bottom = paper.h - 2 * MARGIN_MM
    paper.add_page()
    _print_head(paper, head)
    _print_row(paper, head.titles, head, widths, is_title=True)
    for row in rows:
        if paper.get_y() + ROW_MM > bottom:
            paper.add_page()
            _print_row(paper, head.titles, head, widths, is_title=True)
        _print_row(paper, row, head, widths)
    if any(column.is_summed for column in head.columns):
        if paper.get_y() + ROW_MM > bottom:
            paper.add_page()
        _print_row(paper, head.total_row(totals()), head, widths, is_title=True)
    out.write(paper.output())


def _widths(paper: Paper, head: Head) -> list[float]:
    whole = sum(column.width for column in head.columns)
    return [paper.epw * column.width / whole for column in head.columns]


def _print_head(paper: Paper, head: Head) -> None:
    paper.set_font(FAMILY, size=TITLE_PT)
    paper.cell(0, 2 * ROW_MM, paper.clean(head.title), new_x="LMARGIN", new_y="NEXT")
    paper.set_font(FAMILY, size=SIZE_PT)
    for note in head.notes:
        paper.cell(0, ROW_MM, paper.fitted(note, paper.epw), new_x="LMARGIN", new_y="NEXT")
    paper.ln(1)


def _print_row(
    paper: Paper, row: Sequence[Cell], head: Head, widths: Sequence[float], *, is_title: bool = False
) -> None:
    if is_title:
        paper.set_fill_color(236, 239, 241)
    for cell, column, width in zip(row, head.columns, widths, strict=True):
        text = paper.fitted(written(cell, column.kind), width)
        side = "R" if column.kind in {"money", "rate", "count"} else "L"
        paper.cell(width, ROW_MM, text, border="B", align=side, fill=is_title)
    paper.ln(ROW_MM)
