"""What a message is found by. Pure.

Words of letters and digits as they are, and of scripts without spaces every pair of neighbours: 请开门 is found by
请开 and 开门. PostgreSQL then needs no parser for Chinese, only an index of arrays. A pair is not a phrase, so who
searches compares the text as well (`needles`).
"""

from __future__ import annotations

import re
import unicodedata

WORDS_MAX = 1_000
"""Of one message; a text of 4,000 Chinese characters seldom has more different pairs."""

WORD_MAX = 40
"""Characters of one word that count."""

_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUNS = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
_IS_UNSPACED = re.compile(rf"[{_UNSPACED}]")


def plain(text: str) -> str:
    """Full-width letters and capitals are no difference."""
    return unicodedata.normalize("NFKC", text).lower()


def words_of(text: str) -> list[str]:
    """What a text is indexed by and asked for, each once.

    >>> words_of("请开门, Room 12")
    ['请开', '开门', 'room', '12']
    """
    found: dict[str, None] = {}
    for run in _RUNS.findall(plain(text)):
        if not _IS_UNSPACED.match(run):
            found[run[:WORD_MAX]] = None
        elif len(run) == 1:
            found[run] = None
        else:
            found.update((run[place : place + 2], None) for place in range(len(run) - 1))
        if len(found) >= WORDS_MAX:
            break
    return list(found)[:WORDS_MAX]


def needles(text: str) -> list[str]:
    """Its runs, each of which a found text must have in it as it stands."""
    return [run for run in _RUNS.findall(plain(text)) if _IS_UNSPACED.match(run)]
