"""A running hub for tests of the socket edge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.hub.world import World, running


@pytest.fixture
async def world(db: Database, redis: Any, settings: Settings, clock: ManualClock) -> AsyncIterator[World]:
    async with running(db, redis, settings, clock) as made:
        yield made
