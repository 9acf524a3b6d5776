"""`/desk`: what support and operations ask."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hub.asking import Ask
from hub.handlers.session import refresh_request
from hub.handlers.talk import desk_requests, talk_requests
from hub.limits import Rate
from hub.members import DESK, Member
from hub.registry import Done, Request
from hub.services import Services
from storage.base.errors import Denied

MAP_ROLES = ("support", "ops", "admin")

OPS = "ops"
"""The audience of the operations map; heard only while the map is open, because it is busy."""


class WatchMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`area_code`: a province, city or district; all when absent."""

    what: Literal["map"]
    area_code: Annotated[str, Meta(pattern=r"^(\d{6})?$")] = ""


class Unwatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    what: Literal["map"]


async def watch(ask: Ask, body: WatchMap) -> Done:
    """Positions of all workers follow, then what changes; `ops` facts too. Read calls and orders over REST after."""
    open_map(ask.services, ask.member, body.area_code)
    await ask.services.remember(ask.member)
    return Done()


def open_map(services: Services, member: Member, area_code: str) -> None:
    """Raises Denied."""
    if not member.principal.has_any(MAP_ROLES):
        raise Denied
    services.audiences.join(member, OPS)
    services.map.watch(member, area_code)


def close_map(services: Services, member: Member) -> None:
    services.audiences.leave(member, OPS)
    services.map.unwatch(member)


async def unwatch(ask: Ask, _body: Unwatch) -> Done:
    close_map(ask.services, ask.member)
    await ask.services.remember(ask.member)
    return Done()


REQUESTS: tuple[Request, ...] = (
    Request(
        namespace=DESK,
        name="watch",
        summary="Open the operations map: positions, workers and calls as they change.",
        request=WatchMap,
        response=Done,
        handler=watch,
        roles=MAP_ROLES,
        rate=Rate(burst=10, per_s=1),
    ),
    Request(
        namespace=DESK,
        name="unwatch",
        summary="Close the operations map.",
        request=Unwatch,
        response=Done,
        handler=unwatch,
        rate=Rate(burst=10, per_s=1),
    ),
    *talk_requests(DESK),
    *desk_requests(),
    refresh_request(DESK),
)
