"""docs/realtime.md says everything the registry has, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.closing import CLOSINGS
from hub.notices import NOTICES
from hub.server import REGISTRY

TEXT = (Path(__file__).parents[2] / "docs/realtime.md").read_text()
NAMESPACES = ("/worker", "/customer", "/desk")


def section(namespace: str) -> str:
    """The table of requests of one app."""
    return TEXT.split(f"\n`{namespace}`\n")[1].lstrip().split("\n\n")[0]


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_the_requests_of_each_app_are_listed_and_no_others(namespace: str) -> None:
    cells = [row.split("|")[1] for row in section(namespace).splitlines()[2:]]
    names = {name for cell in cells for name in re.findall(r"`([\w.]+)`", cell)}
    assert names == {request.name for request in REGISTRY.requests_of(namespace)}


@pytest.mark.parametrize("name", [notice.name for notice in NOTICES])
def test_every_notice_is_explained(name: str) -> None:
    assert re.search(rf"`{re.escape(name)}[ `]", TEXT)


def test_the_table_of_endings_is_the_code_s() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \|", TEXT, re.MULTILINE)
    assert {code: answer == "yes" for code, answer in rows} == {
        code: closing.reconnect for code, closing in CLOSINGS.items()
    }
