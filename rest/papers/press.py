"""The press: one document at a time, each in a child process of its own.

The event loop only writes lines to a temporary file, waits for the child, and reads the result. A child that takes too
long is killed; one that takes too much memory dies of it; neither can hurt the process that asked. A fresh interpreter
for each document costs half a second, and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from rest.papers.sheet import Format, Head, Row, add_up, end_line, head_line, page_lines
from storage.base.errors import HubError, Invalid
from storage.base.log import log
from storage.base.settings import Settings

ROOT = Path(__file__).parents[2]
FONT = ROOT / "node_modules/@expo-google-fonts/noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf"
"""The font that set-up brings (see package.json)."""


PDF_ROWS_MAX = 20_000
"""Five hundred pages, a minute's work; nobody reads more."""


class PaperTooLarge(Invalid):
    """The document would be larger than we make them; ask for a shorter period."""

    code = "export_too_large"
    status = 413


class PaperFailed(HubError):
    """The document could not be made."""

    code = "export_failed"
    status = 500


class NoFont(Invalid):
    """No font with Chinese is installed: PDF cannot be printed here, CSV and XLSX can."""

    code = "font_missing"


_REASONS: dict[str, type[HubError]] = {"TooLarge": PaperTooLarge, "FontMissing": NoFont, "MemoryError": PaperTooLarge}


class Press:
    """Prints for one process. Waiting is bounded by whoever asks."""

    def __init__(self, settings: Settings) -> None:
        self._bytes_max = settings.export_bytes_max
        self._rows_max = settings.export_rows_max
        self._timeout_s = settings.export_timeout_s
        self._font = settings.pdf_font_file or str(FONT)
        self._turn = asyncio.Lock()

    @property
    def has_font(self) -> bool:
        return Path(self._font).is_file()

    def check(self, kind: Format) -> None:
        """Raises NoFont now rather than in the child."""
        if kind is Format.PDF and not self.has_font:
            raise NoFont

    async def spool(self, head: Head, pages: AsyncIterator[Sequence[Row]], into: IO[bytes]) -> tuple[int, list[int]]:
        """Write a table's lines to a file, adding up on the way: (rows, totals). Raises PaperTooLarge."""
        into.write(head_line(msgspec.structs.replace(head, font=self._font)) + b"\n")
        count, totals = 0, add_up(head.columns, [], [])
        rows_max = min(self._rows_max, PDF_ROWS_MAX) if head.format is Format.PDF else self._rows_max
        async for page in pages:
            count += len(page)
            if count > rows_max:
                raise PaperTooLarge(rows_max=rows_max)
            totals = add_up(head.columns, totals, page)
            into.write(page_lines(page))
        into.write(end_line(totals))
        into.flush()
        into.seek(0)
        return count, totals

    async def make(self, lines: IO[bytes]) -> bytes:
        """The file made of these lines. Raises PaperTooLarge, NoFont, PaperFailed."""
        async with self._turn:
            with tempfile.TemporaryFile() as out:
                await self._run(lines, out)
                return await asyncio.to_thread(_whole, out)

    async def _run(self, lines: IO[bytes], out: IO[bytes]) -> None:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rest.papers.printer", str(self._bytes_max),
            stdin=lines, stdout=out, stderr=asyncio.subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._timeout_s):
                _, said = await child.communicate()
        except TimeoutError:
            log("paper.timed_out", level="warning", timeout_s=self._timeout_s)
            raise PaperTooLarge(timeout_s=self._timeout_s) from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode != 0:
            reason = said.decode(errors="replace")[-200:]
            log("paper.failed", level="warning", reason=reason, exit_code=child.returncode)
            raise _REASONS.get(reason, PaperFailed)


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
