"""Writes docs/errors.md: `python -m tests.edge.errors_page`."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from pathlib import Path

from rest.edge.catalogue import page

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "errors.md"
PACKAGES = ("storage", "geo", "dispatch", "chat", "rest", "hub")


def import_everything() -> None:
    """Import every module of the program, so that every error class is declared."""
    for name in PACKAGES:
        if not (ROOT / name).is_dir():
            continue
        package = importlib.import_module(name)
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            # A module that cannot be imported fails its own tests; its codes cannot be met by anybody.
            with contextlib.suppress(ImportError):
                importlib.import_module(found.name)


if __name__ == "__main__":
    import_everything()
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
