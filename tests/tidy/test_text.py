"""Rules about the text itself. Each rule has a line it must catch, so that a rule that catches nothing is seen."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("storage", "geo", "dispatch", "chat", "rest", "hub")
FILE_LINES_MAX = 440
FUNCTION_LINES_MAX = 60


def sources(*packages: str) -> Iterator[Path]:
    for package in packages or PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


BANNED = {
    r"\bdatetime\.(now|utcnow|today)\(": "tx.now, or the clock of storage.base.clock",
    r"\btime\.time\(": "the clock of storage.base.clock",
    r"\buuid\.?uuid[14]\b|\buuid4\(": "tx.new_id",
    r"\bfrom unittest import mock\b|\bMagicMock\b|\bmonkeypatch\.setattr\b": "real parts",
    r"\bprint\(": "storage.base.log.log",
}
CAUGHT = {
    "at = datetime.now(UTC)": 0,
    "at = time.time()": 1,
    "x = uuid.uuid4()": 2,
    "from unittest import mock": 3,
    "print(1)": 4,
}
DOORS = {"storage/base/clock.py"}


@pytest.mark.parametrize(("line", "rule"), CAUGHT.items())
def test_each_ban_catches_its_example(line: str, rule: int) -> None:
    assert re.search(list(BANNED)[rule], line)


def test_nothing_banned_is_written() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: use {instead}"
        for path in sources()
        if str(path.relative_to(ROOT)) not in DOORS
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for pattern, instead in BANNED.items()
        if re.search(pattern, line)
    ]
    assert found == []


def test_files_and_functions_stay_small() -> None:
    long = []
    for path in sources():
        text = path.read_text()
        if (lines := text.count("\n")) > FILE_LINES_MAX:
            long.append(f"{path.relative_to(ROOT)}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or 0) - node.lineno + 1
                if size > FUNCTION_LINES_MAX:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {size} lines")
    assert long == []


def test_every_package_has_its_card_and_every_file_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_only_edges_open_transactions() -> None:
    """`begin` and `run` of the database are for routes, socket handlers, jobs, the relay and operators' commands."""
    verbs = [
        path
        for path in sources("dispatch", "chat", "rest")
        if path.parent.name == "actions" or path.name == "actions.py"
    ]
    found = [str(path.relative_to(ROOT)) for path in verbs if re.search(r"\.begin\(\)", path.read_text())]
    assert found == []


def test_the_repository_names_no_package_registry_and_no_private_path() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    needles = [name + "." + top for name, top in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))]
    found = [
        f"{name}: {needle}"
        for name in tracked
        if (ROOT / name).is_file() and not name.endswith((".png", ".woff2"))
        for needle in needles
        if needle in (ROOT / name).read_text(errors="ignore")
    ]
    assert found == []
