"""Cells, formats and the press: every file is opened again by another library."""

from __future__ import annotations

import asyncio
import csv
import io
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from rest.papers.press import NoFont, PaperFailed, PaperTooLarge, Press
from rest.papers.printer import BrokenOff, print_file
from rest.papers.sheet import (
    Column,
    Format,
    Head,
    Row,
    add_up,
    disarmed,
    end_line,
    head_line,
    is_formula,
    page_lines,
    percent,
)
from storage.base.errors import HubError
from storage.base.money import yuan
from storage.base.settings import Settings

AT = datetime(2026, 1, 5, 2, 30, tzinfo=UTC)
COLUMNS = (
    Column("时间", "At", "instant", 20),
    Column("备注", "Note", "text", 30),
    Column("金额", "Amount", "money", 12, is_summed=True),
    Column("比例", "Rate", "rate", 10),
)
WORDS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "  =1", "＝1", "|x", "普通备注", 'a,b"c\nd', ""]
AMOUNTS = st.integers(-(10**12), 10**12)


def head(kind: Format, font: str = "", columns: tuple[Column, ...] = COLUMNS) -> Head:
    return Head(format=kind, language="zh", title="技师结算单", notes=("期间：一月",), columns=columns, font=font)


def printed(kind: Format, rows: Sequence[Row], font: str = "", columns: tuple[Column, ...] = COLUMNS) -> bytes:
    """As the child does it, without a child."""
    lines = head_line(head(kind, font, columns)) + b"\n" + page_lines(rows) + end_line(add_up(columns, [], rows))
    out = io.BytesIO()
    print_file(io.BytesIO(lines), out, 10**7)
    return out.getvalue()


def rows_of(words: Sequence[str | None], amounts: Sequence[int]) -> list[Row]:
    return [(AT, word, amount, 6_050) for word, amount in zip(words, amounts, strict=True)]


@given(AMOUNTS)
def test_yuan_are_written_from_digits(fen: int) -> None:
    assert Decimal(yuan(fen)) * 100 == fen
    assert len(yuan(fen).rpartition(".")[2]) == 2
    assert Decimal(percent(fen).removesuffix("%")) == Decimal(fen) / 100


@given(st.text(max_size=30))
def test_no_text_is_left_a_formula(text: str) -> None:
    assert not is_formula(disarmed(text))
    assert disarmed(text).endswith(text)


@given(st.lists(AMOUNTS, min_size=1, max_size=8))
def test_csv_is_read_back_to_the_fen_with_nothing_armed(amounts: list[int]) -> None:
    words = [WORDS[n % len(WORDS)] for n in range(len(amounts))]
    raw = printed(Format.CSV, rows_of(words, amounts))
    assert raw.startswith(b"\xef\xbb\xbf")
    found = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert found[0] == ["时间", "备注", "金额", "比例"]
    assert [Decimal(line[2]) * 100 for line in found[1:-1]] == amounts
    assert Decimal(found[-1][2]) * 100 == sum(amounts)
    assert [line[1] for line in found[1:-1]] == [disarmed(word) for word in words]
    assert not any(is_formula(line[1]) for line in found)
    assert {line[0] for line in found[1:-1]} == {"2026-01-05 10:30:00"}


@given(st.lists(AMOUNTS, min_size=1, max_size=8))
def test_xlsx_is_read_back_to_the_fen_with_nothing_armed(amounts: list[int]) -> None:
    words = [WORDS[n % len(WORDS)] or None for n in range(len(amounts))]
    sheet: Any = openpyxl.load_workbook(io.BytesIO(printed(Format.XLSX, rows_of(words, amounts)))).active
    found = list(sheet.iter_rows(min_row=4))
    assert [Decimal(str(line[2].value)) * 100 for line in found] == [*amounts, sum(amounts)]
    assert [line[1].value for line in found[:-1]] == words
    for line in found:
        assert line[1].data_type != "f"
        assert line[1].quotePrefix is is_formula(line[1].value or "")
    assert found[0][0].value == datetime(2026, 1, 5, 10, 30)
    assert found[0][3].value == 0.605
    assert found[0][2].number_format == "#,##0.00"


def test_pdf_has_its_chinese_its_pages_and_its_total(font: str) -> None:
    rows = rows_of(["客户张三 😀"] * 120, range(1, 121))
    pages = PdfReader(io.BytesIO(printed(Format.PDF, rows, font))).pages
    texts = [page.extract_text() for page in pages]
    assert len(texts) >= 3
    assert "技师结算单" in texts[0]
    assert "客户张三 ?" in texts[0]
    assert all("备注" in text for text in texts)
    assert all(f"{n} / {len(texts)}" in text for n, text in enumerate(texts, 1))
    assert yuan(sum(range(1, 121))) in texts[-1]
    assert "合计" in texts[-1]
    fonts = pages[0]["/Resources"]["/Font"]  # type: ignore[index]
    assert all("/DescendantFonts" in one.get_object() for one in fonts.values()), "the font travels with the paper"


def test_what_breaks_off_is_no_file() -> None:
    lines = head_line(head(Format.CSV)) + b"\n" + page_lines(rows_of(["a"], [1]))
    with pytest.raises(BrokenOff):
        print_file(io.BytesIO(lines), io.BytesIO(), 10**6)


# The press


async def pages(count: int) -> AsyncIterator[Sequence[Row]]:
    for at in range(0, count, 200):
        yield rows_of(["备注"] * min(200, count - at), range(at, min(at + 200, count)))


async def pressed(press: Press, kind: Format, count: int) -> bytes:
    with tempfile.TemporaryFile() as lines:
        assert await press.spool(head(kind), pages(count), lines) == (count, [sum(range(count))])
        return await press.make(lines)


async def test_the_loop_goes_on_while_a_long_paper_is_printed(press: Press, font: str) -> None:
    """What the loop waits for meanwhile is little beside what the printing takes, however slow the machine."""
    lags: list[float] = []
    done = asyncio.Event()

    async def watch() -> None:
        while not done.is_set():
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            lags.append(time.perf_counter() - before)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    raw = await pressed(press, Format.PDF, 1_500)
    took = time.perf_counter() - began
    done.set()
    await watching
    assert len(PdfReader(io.BytesIO(raw)).pages) > 40
    assert sorted(lags)[len(lags) * 9 // 10] < took / 20
    assert len(lags) > 20, "the loop was held"


async def test_a_paper_is_bounded_in_rows_bytes_and_time(settings: Settings) -> None:
    for bounds, refusal in (
        ({"export_rows_max": 300}, PaperTooLarge),
        ({"export_bytes_max": 2_000}, PaperTooLarge),
        ({"export_timeout_s": 0}, PaperTooLarge),
        ({"pdf_font_file": "/nowhere.ttf"}, NoFont),
    ):
        press = Press(replace(settings, **bounds))  # type: ignore[arg-type]
        with pytest.raises(refusal):
            await pressed(press, Format.PDF if refusal is NoFont else Format.CSV, 400)


async def test_a_child_that_dies_is_a_refusal_and_the_next_paper_is_printed(press: Press) -> None:
    with tempfile.TemporaryFile() as lines:
        lines.write(b"nonsense\n")
        lines.seek(0)
        with pytest.raises(HubError) as refused:
            await press.make(lines)
    assert type(refused.value) is PaperFailed
    assert b"\xe5\xa4\x87" in await pressed(press, Format.CSV, 3)
