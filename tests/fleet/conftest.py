"""The demo town on a real port, and people of it who sign in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import ClientSession

from rest.app import build_app
from rest.lines.homeservice import demo
from storage.base.settings import Settings
from storage.postgres import Database
from tests.dispatch.conftest import town
from tests.edge.conftest import serving
from tests.people.conftest import Phone

__all__ = ["town"]

OPS = "13800000202"
CUSTOMER = demo.customer_phone(1)


@pytest.fixture
async def phone(db: Database, settings: Settings) -> AsyncIterator[Phone]:
    await db.run(demo.seed)
    async with serving(build_app(db, replace(settings, code_resend_s=0))) as base, ClientSession() as session:
        yield Phone(base, session)


@pytest.fixture
async def ops(phone: Phone) -> Phone:
    await phone.sign_in(OPS)
    return phone
