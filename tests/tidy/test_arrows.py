"""The contracts about imports bite: a planted upward import is caught."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("storage", "geo", "dispatch", "chat", "rest", "hub")
PLANTED = {
    "storage knows nobody": ("storage/base/ids.py", "import geo.point"),
    "geo does not call dispatch": ("geo/distance.py", "import dispatch.model"),
    "dispatch does not know orders": ("dispatch/calls.py", "import rest.edge.registry"),
    "dispatch does not know chat": ("dispatch/calls.py", "import chat.cases"),
    "rest does not know sockets": ("rest/edge/registry.py", "import hub.registry"),
    "money does not know trade": ("rest/money/ledger/actions.py", "import rest.trade.orders"),
    "marketing does not know trade": ("rest/marketing/coupons/actions.py", "import rest.trade.orders"),
    "money does not know marketing": ("rest/money/ledger/actions.py", "import rest.marketing.coupons"),
    "trade does not know lines": ("rest/trade/orders/executor.py", "import rest.lines.homeservice"),
    "only the wall imports socketio": ("hub/relay.py", "import socketio"),
    "models are pure": ("dispatch/model.py", "import storage.tx"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("tree")
    for name in (*PACKAGES, "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    return copy


def test_the_tree_as_it_is_keeps_every_contract(tree: Path) -> None:
    result = lint(tree)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", list(PLANTED))
def test_a_planted_import_is_caught(tree: Path, name: str) -> None:
    path, line = PLANTED[name]
    target = tree / path
    text = target.read_text()
    target.write_text(text + f"\n{line}\n")
    try:
        assert lint(tree).returncode != 0
    finally:
        target.write_text(text)
