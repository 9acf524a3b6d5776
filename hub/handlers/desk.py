"""`/desk`: what support and operations ask."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from hub.asking import Ask
from hub.handlers.cases import case_requests
from hub.handlers.customer import show, show_position, show_to_staff
from hub.handlers.session import refresh_request
from hub.handlers.talk import desk_requests, talk_requests
from hub.handlers.threads import thread_requests
from hub.limits import Rate
from hub.lines import QueueBoard
from hub.members import DESK, Member
from hub.registry import Done, Id, Request
from hub.services import Services
from hub.watching import Position, Trip
from rest.desk.conversations.readers import STAFF
from storage.base.errors import Denied, Malformed, NotFound

MAP_ROLES = ("support", "ops", "admin")

OPS = "ops"
"""The audience of the operations map; heard only while the map is open, because it is busy."""


class WatchDesk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`map`: workers and calls, of `area_code` (a province, city or district) or all. `board`: the queues you watch
    over, in numbers. `order`: the worker of an order a conversation of your desk is about, while the trip is on."""

    what: Literal["map", "board", "order"]
    area_code: Annotated[str, Meta(pattern=r"^(\d{6})?$")] = ""
    order_id: Id | None = None


class UnwatchDesk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    what: Literal["map", "board", "order"]
    order_id: Id | None = None


class DeskWatchAck(Done, frozen=True, kw_only=True):
    """What you look at, as it stands now."""

    boards: list[QueueBoard] | None = None
    order_id: str | None = None
    tracking: bool | None = None
    position: Position | None = None


async def watch(ask: Ask, body: WatchDesk) -> Done:
    """What it shows follows, as it changes. Read calls and orders over REST after."""
    if body.what == "board":
        boards = await _boards(ask.services, ask.member)
        ask.services.lines.watch(ask.member, boards)
        await ask.services.remember(ask.member)
        return DeskWatchAck(boards=boards)
    if body.what == "order":
        return await _watch_order(ask, body)
    open_map(ask.services, ask.member, body.area_code)
    await ask.services.remember(ask.member)
    return Done()


async def _boards(services: Services, member: Member) -> list[QueueBoard]:
    """Raises Denied."""
    found = await services.ports.verbs["desk.boards"](services.db, member.principal, None)
    return [QueueBoard.of(board) for board in found["boards"]]


async def open_board_again(services: Services, member: Member) -> None:
    """For the recovery of who watched the board; it is asked again whether he may. Raises Denied."""
    services.lines.watch_again(member, await _boards(services, member))


async def _watch_order(ask: Ask, body: WatchDesk) -> DeskWatchAck:
    if body.order_id is None:
        raise Malformed("Name the order.")
    await _verb(ask, "desk.may_watch", body)
    shown = await show_position(ask, await show_to_staff(ask.services, ask.member, body.order_id))
    await ask.services.remember(ask.member)
    return DeskWatchAck(order_id=shown.order_id, tracking=shown.tracking, position=shown.position)


async def _verb(ask: Ask, key: str, body: Any) -> Any:  # noqa: ANN401 - fields of the verb
    return await ask.services.ports.verbs[key](ask.services.db, ask.principal, body)


async def show_again(services: Services, member: Member, order_id: str) -> Trip:
    """What a member watched, for its recovery; at the desk it is asked again whether it may. Raises HubError."""
    if member.namespace != DESK:
        return await show(services, member, order_id)
    body = WatchDesk("order", order_id=order_id)
    await services.ports.verbs["desk.may_watch"](services.db, member.principal, body)
    return await show_to_staff(services, member, order_id)


async def hide_unseen(services: Services, member: Member) -> None:
    """Show no longer the trips of orders whose threads the member may see no longer."""
    for order_id in sorted(member.watching):
        body = WatchDesk("order", order_id=order_id)
        try:
            await services.ports.verbs["desk.may_watch"](services.db, member.principal, body)
        except NotFound:
            member.watching.discard(order_id)
            services.watching.unwatch(member, order_id)


def open_map(services: Services, member: Member, area_code: str) -> None:
    """Raises Denied."""
    if not member.principal.has_any(MAP_ROLES):
        raise Denied
    services.audiences.join(member, OPS)
    services.map.watch(member, area_code)


def close_map(services: Services, member: Member) -> None:
    services.audiences.leave(member, OPS)
    services.map.unwatch(member)


async def unwatch(ask: Ask, body: UnwatchDesk) -> Done:
    if body.what == "board":
        ask.services.lines.unwatch(ask.member)
    elif body.what == "map":
        close_map(ask.services, ask.member)
    elif body.order_id is not None:
        ask.member.watching.discard(body.order_id)
        ask.services.watching.unwatch(ask.member, body.order_id)
    await ask.services.remember(ask.member)
    return Done()


REQUESTS: tuple[Request, ...] = (
    Request(
        namespace=DESK,
        name="watch",
        summary="Open the operations map, the board of my queues, or the trip of an order.",
        request=WatchDesk,
        response=DeskWatchAck,
        handler=watch,
        roles=(*STAFF, "ops"),
        rate=Rate(burst=10, per_s=1),
    ),
    Request(
        namespace=DESK,
        name="unwatch",
        summary="Look at it no longer.",
        request=UnwatchDesk,
        response=Done,
        handler=unwatch,
        rate=Rate(burst=10, per_s=1),
    ),
    *talk_requests(DESK),
    *desk_requests(),
    *thread_requests(),
    *case_requests(),
    refresh_request(DESK),
)
