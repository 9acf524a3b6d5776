"""The official JavaScript clients, newest and oldest, over each transport: a cell of the table is a test.

What a check does is in `checks.mjs`; to add one, write it there and name it here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.hub.world import World, running
from tests.protocol.clients.driver import CLIENTS, TRANSPORTS, Driver, needs_node

pytestmark = needs_node

CHECKS = (
    "connects",
    "auth_arrives_whole",
    "a_refusal_carries_data",
    "a_crash_while_connecting_refuses",
    "an_unknown_namespace_is_refused_alone",
    "an_ack_has_every_argument",
    "an_ack_may_have_none",
    "an_unknown_event_is_answered",
    "an_event_nobody_waits_for_still_fails_aloud",
    "bytes_go_both_ways",
    "two_hundred_events_come_in_order",
    "a_burst_arrives_in_order",
    "two_namespaces_share_a_connection",
    "a_client_that_leaves_is_gone_at_once",
    "a_long_text_comes_back_whole",
    "a_message_beyond_the_limit_ends_the_connection",
    "a_kicked_client_stays_away",
    "a_kick_from_one_namespace_leaves_the_other",
    "a_cut_client_comes_back_and_sends_what_it_kept",
    "a_client_whose_session_is_ended_comes_back",
    "a_retried_event_is_acked_once",
    "nothing_is_lost_while_the_transport_moves",
    "another_parser_is_turned_away",
)
NOT_IN_THE_OLDEST = {"a_retried_event_is_acked_once"}
ONLY_WHILE_MOVING = {"nothing_is_lost_while_the_transport_moves"}
OF_THE_HUB = ("a_request_that_crashes_is_answered",)

CELLS = [
    (client, transport, check)
    for client in CLIENTS
    for transport in TRANSPORTS
    for check in CHECKS
    if not (client == "oldest" and check in NOT_IN_THE_OLDEST)
    and not (transport != "upgrade" and check in ONLY_WHILE_MOVING)
]

Drivers = Callable[[str, str], Driver]


@pytest.fixture(scope="module")
def drivers(playground: str) -> Iterator[Drivers]:
    """One child for each client and transport, started when it is asked for first."""
    with ExitStack() as running_ones:
        yield cache(lambda *which: running_ones.enter_context(Driver(playground, *which)))


@pytest.mark.parametrize(("client", "transport", "check"), CELLS)
def test_the_client(drivers: Drivers, client: str, transport: str, check: str) -> None:
    drivers(client, transport).check(check)


def test_every_check_that_is_written_is_in_the_table(drivers: Drivers) -> None:
    assert {check for _, _, check in CELLS} | {*OF_THE_HUB} == {*drivers("latest", "websocket").names()}


@pytest.fixture
async def world(db: Database, redis: Any, settings: Settings, clock: ManualClock) -> AsyncIterator[World]:
    async with running(db, redis, settings, clock) as made:
        yield made


@pytest.mark.parametrize("check", OF_THE_HUB)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("client", CLIENTS)
async def test_the_client_at_the_hub(world: World, client: str, transport: str, check: str) -> None:
    with Driver(world.url, client, transport) as driver:
        await asyncio.to_thread(driver.check, check, token=world.worker())
