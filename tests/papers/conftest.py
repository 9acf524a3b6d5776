"""A press with the font of this machine, and a desk that makes exports."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rest.app import EXPORT_KINDS
from rest.papers.exports import ExportDesk
from rest.papers.press import FONT, Press
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database

FONT_FILE = os.environ.get("FIELDHUB_PDF_FONT_FILE", str(FONT))


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, pdf_font_file=FONT_FILE)


@pytest.fixture
def font() -> str:
    if not Path(FONT_FILE).is_file():
        pytest.skip("the font of papers is missing: run `make test`, which installs it")
    return FONT_FILE


@pytest.fixture
def press(settings: Settings) -> Press:
    return Press(settings)


@dataclass
class Office:
    """The part of a worker that makes exports."""

    desk: ExportDesk
    runner: JobRunner

    async def work(self) -> None:
        """Make everything that waits."""
        while await self.runner.drain() or self.desk.is_busy:
            await self.desk.idle()


@pytest.fixture
def office(db: Database, settings: Settings, press: Press) -> Office:
    return office_of(db, settings, press)


def office_of(db: Database, settings: Settings, press: Press) -> Office:
    desk = ExportDesk(db, settings, press, EXPORT_KINDS)
    return Office(desk, JobRunner(db, settings, {}, outside=desk.outside_jobs()))
