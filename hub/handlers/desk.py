"""`/desk`: what support and operations ask."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hub.asking import Ask
from hub.handlers.session import refresh_request
from hub.limits import Rate
from hub.members import DESK
from hub.registry import Done, Request

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
    ask.services.audiences.join(ask.member, OPS)
    ask.services.map.watch(ask.member, body.area_code)
    return Done()


async def unwatch(ask: Ask, _body: Unwatch) -> Done:
    ask.services.audiences.leave(ask.member, OPS)
    ask.services.map.unwatch(ask.member)
    return Done()


REQUESTS: tuple[Request, ...] = (
    Request(
        namespace=DESK,
        name="watch",
        summary="Open the operations map: positions, workers and calls as they change.",
        request=WatchMap,
        response=Done,
        handler=watch,
        roles=("support", "ops", "admin"),
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
    refresh_request(DESK),
)
