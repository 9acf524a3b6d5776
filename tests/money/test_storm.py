"""A small storm; `python -m tests.money.storm` makes the large one."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest

from rest.money.channels.simulator import make_identity
from tests.money import storm

PAYMENTS = 120
LIMIT_MS = 5_000
"""A channel waits this long for an acknowledgement."""


@pytest.mark.timeout(120)
async def test_every_fen_of_a_storm_is_booked_once(pg_server: str) -> None:
    seed = random.SystemRandom().randrange(10**6)
    with tempfile.TemporaryDirectory(prefix="fieldhub-keys-") as folder:
        seen = await storm.run(pg_server, make_identity(Path(folder)), payments=PAYMENTS, seed=seed)
    print(f"seed {seed}: {seen.figures()}")
    assert seen.wrong == []
    assert seen.payments >= PAYMENTS
    assert seen.given_back > 0
    assert seen.spoilt["corrupt"] > 0
    assert max(seen.waits_ms) < LIMIT_MS
