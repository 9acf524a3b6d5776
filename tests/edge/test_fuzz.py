"""The published contract against the running application, by a fuzzer that reads nothing but /openapi.json."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rest.app import build_app
from rest.people import Role
from rest.people.auth import Keys
from rest.people.operators import create_accounts
from storage.base.clock import SystemClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.conftest import SECRET
from tests.edge.conftest import serving

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = os.environ.get("FIELDHUB_FUZZ_EXAMPLES", "3")


@pytest.mark.timeout(920)
async def test_no_request_breaks_the_contract(db: Database, settings: Settings, tmp_path: Path) -> None:
    """Somebody with every role sends what the schemas allow and what they do not, and follows the links."""
    db.clock = SystemClock()
    token = await somebody(db, settings)
    roomy = replace(settings, requests_per_minute_max=10**6, code_per_address_max=10**4)
    async with serving(build_app(db, roomy)) as base:
        fuzzer = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("st")),
            f"--config-file={CONFIG}",
            "run",
            f"{base}/openapi.json",
            f"--header=Authorization: Bearer {token}",
            f"--max-examples={EXAMPLES}",
            "--checks=all",
            # Integers are strict here (29.0 is one in JSON Schema), a cursor opens only the list that made it, and a
            # code nobody sent is wrong: a request may fit its schema and still be refused.
            "--exclude-checks=positive_data_acceptance",
            "--seed=1",
            # It would take the fuzzer's own rights away, and everything after it would be refused.
            "--exclude-operation-id=accounts.set_roles",
            "--exclude-operation-id=auth.end_session",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(fuzzer.communicate(), 900)
        finally:
            if fuzzer.returncode is None:
                fuzzer.kill()
                await fuzzer.wait()
    assert fuzzer.returncode == 0, output.decode()


EVERY_ROLE = frozenset(role.value for role in Role if not role.value.startswith("tenant_"))
"""Nobody has roles of two sides."""


async def somebody(db: Database, settings: Settings) -> str:
    """The access token of an account with every role of the house."""
    made = (await create_accounts(db, settings, "admin", 1))[0]
    async with db.begin() as tx:
        await tx.execute("UPDATE accounts SET roles = $1", sorted(EVERY_ROLE))
    later = db.clock.now() + timedelta(milliseconds=1)
    return Keys(SECRET).issue(made["session_id"], made["account_id"], EVERY_ROLE, later, 3_600).text
