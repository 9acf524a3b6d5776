"""Says when python-socketio or python-engineio has moved under the transport, and where to look.

The transport overrides or calls the names below. Their source is pinned: when one has changed, read its new text and
the named file of ours, let the differential test speak, and write down the new pin that the message gives.
"""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import engineio
import pytest
from engineio import async_socket, base_server, exceptions, payload
from engineio.async_drivers import aiohttp as driver
from socketio import packet

from hub.transport.engine import Engine

VERSIONS = {"python-socketio": "5.18.1", "python-engineio": "4.15.1"}


@dataclass(frozen=True)
class Use:
    """A name of theirs that a file of ours relies on."""

    what: Any
    ours: str
    """The file in hub/transport."""
    pin: str


USES = {
    "AsyncServer.handle_request": Use(engineio.AsyncServer.handle_request, "engine", "1a8c878e35166cfe"),
    "AsyncServer.attach": Use(engineio.AsyncServer.attach, "engine", "7874d4dc1c319bc6"),
    "AsyncServer.disconnect": Use(engineio.AsyncServer.disconnect, "engine", "8bb6448caae41ca6"),
    "AsyncServer.create_queue": Use(engineio.AsyncServer.create_queue, "engine", "5ff5673a0c017681"),
    "AsyncServer._handle_connect": Use(engineio.AsyncServer._handle_connect, "engine", "5bd7edc1d1ae115a"),
    "AsyncServer._make_response": Use(engineio.AsyncServer._make_response, "engine", "5f883ef57e34f34c"),
    "BaseServer.__init__": Use(base_server.BaseServer.__init__, "engine", "a06b17502fbd9646"),
    "BaseServer.generate_id": Use(base_server.BaseServer.generate_id, "engine", "b6a591454237c0bb"),
    "BaseServer._ok": Use(base_server.BaseServer._ok, "engine", "b8f717402eac2b0d"),
    "BaseServer._upgrades": Use(base_server.BaseServer._upgrades, "engine", "040ebcdf64fbf1b3"),
    "BaseServer._get_socket": Use(base_server.BaseServer._get_socket, "engine", "ae2f99e66d632944"),
    "BaseServer._cors_allowed_origins": Use(base_server.BaseServer._cors_allowed_origins, "engine", "d0cad0c66d5333cb"),
    "BaseServer._cors_headers": Use(base_server.BaseServer._cors_headers, "engine", "da3a25b4305292e2"),
    "BaseServer._log_error_once": Use(base_server.BaseServer._log_error_once, "engine", "dccbb5602dc46a09"),
    "Payload.encode": Use(payload.Payload.encode, "polling", "67dab77bf52cf29c"),
    "aiohttp driver: translate_request": Use(driver.translate_request, "engine", "20aa782740060790"),
    "aiohttp driver: make_response": Use(driver.make_response, "engine", "58b0a5e7050ff6ec"),
    "AsyncSocket.handle_get_request": Use(async_socket.AsyncSocket.handle_get_request, "session", "05eaae9f0a60d9be"),
    "AsyncSocket.handle_post_request": Use(async_socket.AsyncSocket.handle_post_request, "session", "82dca119a261a959"),
    "EngineIOError and its kinds": Use(exceptions, "polling", "172b8c6f9aa15fd0"),
    "socketio Packet": Use(packet.Packet, "packets", "e1660ba64e4e31fc"),
}


def pin_of(what: Any) -> str:
    """Of the source; short, for it guards against change, not against malice."""
    return hashlib.sha256(inspect.getsource(what).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", VERSIONS)
def test_the_version_is_the_one_that_was_read(name: str) -> None:
    assert version(name) == VERSIONS[name], f"{name} has moved: see which of the pins below still hold"


@pytest.mark.parametrize("name", USES)
def test_what_we_rely_on_is_as_it_was_read(name: str) -> None:
    use = USES[name]
    assert pin_of(use.what) == use.pin, (
        f"{name} has changed upstream: compare it with hub/transport/{use.ours}.py, then pin {pin_of(use.what)!r}"
    )


def test_every_name_of_theirs_that_the_engine_overrides_is_pinned() -> None:
    theirs = {name for kind in engineio.AsyncServer.__mro__[:-1] for name in vars(kind)}
    overridden = theirs & {name for name in vars(Engine) if not name.startswith("__")}
    assert overridden <= {name.rpartition(".")[2] for name in USES}


def test_the_values_we_take_for_granted() -> None:
    assert (packet.CONNECT, packet.DISCONNECT, packet.EVENT, packet.ACK) == (0, 1, 2, 3)
    assert (packet.CONNECT_ERROR, packet.BINARY_EVENT, packet.BINARY_ACK) == (4, 5, 6)
    assert engineio.AsyncServer.reason.TRANSPORT_CLOSE == "transport close"
