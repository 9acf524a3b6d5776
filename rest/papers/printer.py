"""The child of the press: `python -m rest.papers.printer BYTES`: lines in, a file out, then gone.

It limits its own memory and the file it writes, reads nothing but its input, and says in one word on its error output
what was wrong; its exit code is 1 then.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import msgspec

from rest.papers.sheet import Format, Head, Row, read_row

MEMORY_BYTES_MAX = 1_500_000_000
"""Twenty times what a large PDF was seen to take; beyond it something is wrong with the document or with us."""


class BrokenOff(Exception):
    """The input has no end: whoever wrote it has failed."""


class TooLarge(Exception):
    """The file is larger than we keep."""


class Bounded:
    """A file that may be written up to a size."""

    def __init__(self, out: BinaryIO, bytes_max: int) -> None:
        self._out, self._bytes_max = out, bytes_max

    def write(self, piece: Any) -> int:  # noqa: ANN401 - bytes or a view of them
        written = self._out.write(piece)
        if self._out.tell() > self._bytes_max:
            raise TooLarge
        return written

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the file's own
        return getattr(self._out, name)


class Lines:
    """The rows of the input, and the totals that come after them."""

    def __init__(self, source: BinaryIO, head: Head) -> None:
        self._source, self._head = source, head
        self._totals: list[int] | None = None

    def rows(self) -> Iterator[Row]:
        for line in self._source:
            found = msgspec.json.decode(line)
            if isinstance(found, dict):
                self._totals = found["totals"]
                return
            yield read_row(found, self._head.columns)

    def totals(self) -> list[int]:
        if self._totals is None:
            raise BrokenOff
        return self._totals


Writer = Callable[[BinaryIO, Head, Iterator[Row], Callable[[], list[int]]], None]


def writer_of(kind: Format) -> Writer:
    """Each format imports what it needs and no more."""
    if kind is Format.CSV:
        from rest.papers.writers.csv import write
    elif kind is Format.XLSX:
        from rest.papers.writers.xlsx import write
    else:
        from rest.papers.writers.pdf import write
    return write


def print_file(source: BinaryIO, out: BinaryIO, bytes_max: int) -> None:
    """Raises BrokenOff, TooLarge; FontMissing of the PDF writer."""
    first = source.readline()
    if not first:
        raise BrokenOff
    bounded: Any = Bounded(out, bytes_max)
    head = msgspec.json.decode(first, type=Head)
    lines = Lines(source, head)
    writer_of(head.format)(bounded, head, lines.rows(), lines.totals)
    lines.totals()
    out.flush()


def main() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        print_file(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
    except Exception as fault:  # noqa: BLE001 - the one word the parent reads
        sys.stderr.write(type(fault).__name__)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
