"""A server for the clients, once under each event loop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.protocol.conftest import child


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def playground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its base URL."""
    folder = tmp_path_factory.mktemp("playground")
    arguments = ["--uvloop"] * (request.param == "uvloop")
    with child("tests.protocol.clients.server", *arguments, folder=folder) as url:
        yield url
    log = (folder / "server.log").read_text()
    assert "never retrieved" not in log, log
