"""Two languages with the same words, every word in use, and a word for everything the server can say."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from dispatch import model as dispatch_model
from dispatch.model import CallStatus, Mode
from rest.lines.homeservice.model import STATUSES
from rest.pages.assets import STATIC

KEY = re.compile(r"""^  +(\w+):\s*\n?\s*("(?:[^"\\]|\\.)*")""", re.MULTILINE)
HOLE = re.compile(r"\{(\w+)\}")
SOURCES = {path: path.read_text() for path in sorted(STATIC.rglob("*.js"))}
MAP_TEXT, CHAT_TEXT, DESK_TEXT, HELP_TEXT = (STATIC / page / "text.js" for page in ("map", "chat", "desk", "help"))
SIGNIN = STATIC / "core" / "signin.js"
TABLES = (MAP_TEXT, CHAT_TEXT, DESK_TEXT, HELP_TEXT, SIGNIN)
SAME_IN_BOTH = {"language", "language_hint", "fact_other", "of", "capacity_of", "due_in"}
"""What is not translated: the other language is called by its own name, and figures are figures."""


def table_of(path: Path) -> Path | None:
    """Where a module has its words from: its own folder; of core only the sign-in has any."""
    if path == SIGNIN:
        return SIGNIN
    return next((table for table in TABLES if table.parent == path.parent and table != SIGNIN), None)


def tables(path: Path) -> dict[str, dict[str, str]]:
    """{language: {key: text}} of a module with words."""
    text = SOURCES[path]
    starts = {
        language: re.search(rf"(?:const {language} = \{{|^  {language}: \{{)", text, re.MULTILINE)
        for language in ("zh", "en")
    }
    assert starts["zh"]
    assert starts["en"]
    zh_at, en_at = starts["zh"].end(), starts["en"].end()
    return {"zh": dict(KEY.findall(text[zh_at:en_at])), "en": dict(KEY.findall(text[en_at:]))}


@pytest.mark.parametrize("path", TABLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_both_languages_say_the_same_with_the_same_values(path: Path) -> None:
    words = tables(path)
    assert len(words["zh"]) > 10
    assert set(words["zh"]) == set(words["en"])
    holes = {language: {key: set(HOLE.findall(text)) for key, text in words[language].items()} for language in words}
    assert holes["zh"] == holes["en"]


def test_chinese_words_are_chinese() -> None:
    latin = {
        key: text
        for path in TABLES
        for key, text in tables(path)["zh"].items()
        if not re.search(r"[\u4e00-\u9fff]", text) and key not in SAME_IN_BOTH
    }
    assert latin == {}


def used(paths: Iterable[Path]) -> tuple[set[str], set[str]]:
    """Whole keys and prefixes of keys that modules ask for."""
    text = "\n".join(SOURCES[path] for path in paths)
    whole = set(re.findall(r"\bt\(\"(\w+)\"", text)) | set(re.findall(r"\"(\w+)\"", text))
    prefixes = {f"{name}_" for name in re.findall(r"\bnamed\(\"(\w+)\"", text)}
    return whole, prefixes | set(re.findall(r"t\(`(\w+_)\$\{", text))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_word_is_used(path: Path) -> None:
    """A key is used when some module names it, or builds it from a prefix."""
    whole, prefixes = used([*path.parent.glob("*.js"), *(STATIC / "core").glob("*.js")])
    idle = {key for key in tables(path)["zh"] if key not in whole and not any(map(key.startswith, prefixes))}
    assert idle == set()


@pytest.mark.parametrize("path", list(filter(table_of, SOURCES)), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_word_asked_for_exists(path: Path) -> None:
    table = table_of(path)
    assert table is not None
    words = tables(table)["zh"]
    asked = set(re.findall(r"\bt\(\"(\w+)\"", SOURCES[path]))
    assert asked <= set(words)


def reasons() -> set[str]:
    """What `why_not` can answer."""
    return set(re.findall(r'"(\w+)"\),', inspect.getsource(dispatch_model.why_not)))


def states(table: str) -> set[str]:
    """The states a table of dispatch allows."""
    migration = (STATIC.parents[2] / "storage" / "migrations" / "0004_dispatch.sql").read_text()
    body = migration.split(f"CREATE TABLE {table} (")[1].split("\n)")[0]
    found = re.search(r"state +text +NOT NULL CHECK \(state IN \(([^)]*)\)", body)
    assert found
    return set(re.findall(r"'(\w+)'", found[1]))


@pytest.mark.parametrize(
    ("prefix", "values"),
    [
        ("call", {status.value for status in CallStatus}),
        ("mode", {mode.value for mode in Mode}),
        ("order", set(STATUSES)),
        ("why", reasons()),
        ("offer", states("offers")),
        ("grab", states("grabs")),
        ("state", {"free", "locked", "booked", "offline"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_everything_the_server_says_has_a_word(prefix: str, values: set[str]) -> None:
    words = tables(MAP_TEXT)["zh"]
    assert len(values) > 2
    assert {value for value in values if f"{prefix}_{value}" not in words} == set()
