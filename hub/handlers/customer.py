"""`/customer`: what customer apps and tracking pages ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from hub.asking import Ask
from hub.handlers.session import refresh_request
from hub.handlers.talk import talk_requests
from hub.handlers.verbs import verb_request
from hub.handlers.worker import OrderAck
from hub.limits import Rate
from hub.members import CUSTOMER, Member, Principal
from hub.ports import OrderView
from hub.registry import Command, Done, Id, Request
from hub.services import Services
from hub.watching import Position, Trip
from storage.base.errors import NotFound, TooMany

WATCHED_MAX = 20
"""Orders one socket may watch; nobody has more running."""


QuoteHash = Annotated[str, Meta(min_length=1, max_length=64, description="Names the price you were shown.")]


class ChooseGrab(Command, frozen=True, kw_only=True):
    """With `quote_hash` the choice is refused when the price is another by now (`price_changed`)."""

    order_id: Id
    grab_id: Id
    quote_hash: QuoteHash | None = None


class Watched(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    order_id: Id


class WatchAck(Done, frozen=True, kw_only=True):
    """Whether the worker can be seen now, and the last position if there is one."""

    order_id: str
    tracking: bool
    position: Position | None


async def watch(ask: Ask, body: Watched) -> WatchAck:
    """Show me the worker of this order whenever the trip is on."""
    ack = await show_position(ask, await show(ask.services, ask.member, body.order_id))
    await ask.services.remember(ask.member)
    return ack


async def show_position(ask: Ask, trip: Trip) -> WatchAck:
    """What can be seen of the trip now."""
    services = ask.services
    if trip.tracked_since is not None and trip.last is None and trip.worker_id is not None:
        known = services.tracker.last(trip.worker_id) or await services.ports.last_known(trip.worker_id)
        if known is not None:
            services.watching.remember(trip, known)
    position = services.watching.position(trip, ask.principal.crs)
    return WatchAck(order_id=trip.order_id, tracking=trip.tracked_since is not None, position=position)


async def show(services: Services, member: Member, order_id: str) -> Trip:
    """Let the member see the order's trips. Raises NotFound, TooMany."""

    async def read() -> OrderView:
        return _checked(await services.ports.view_order(order_id), member.principal)

    return await _show(services, member, order_id, read)


async def show_to_staff(services: Services, member: Member, order_id: str) -> Trip:
    """The same for staff who may see the order: the caller has asked. Raises NotFound, TooMany."""
    return await _show(services, member, order_id, lambda: services.ports.view_order(order_id))


async def _show(services: Services, member: Member, order_id: str, read: Callable[[], Awaitable[OrderView]]) -> Trip:
    if len(member.watching) >= WATCHED_MAX and order_id not in member.watching:
        raise TooMany(f"At most {WATCHED_MAX} orders at once.")
    trip = await services.watching.watch(member, order_id, read)
    member.watching.add(order_id)
    if member.is_closing:  # gone while we read; nobody else will clean up
        services.watching.unwatch(member, order_id)
    return trip


async def unwatch(ask: Ask, body: Watched) -> Done:
    ask.member.watching.discard(body.order_id)
    ask.services.watching.unwatch(ask.member, body.order_id)
    await ask.services.remember(ask.member)
    return Done()


def _checked(view: OrderView, principal: Principal) -> OrderView:
    """One's own order, or the one a share link opens. Others' orders look like none (HS-206)."""
    is_own = bool(principal.account_id) and view.customer_id == principal.account_id
    if not is_own and view.order_id != principal.order_id:
        raise NotFound
    return view


REQUESTS: tuple[Request, ...] = (
    Request(
        namespace=CUSTOMER,
        name="watch",
        summary="Show me the worker of this order while the trip is on.",
        request=Watched,
        response=WatchAck,
        handler=watch,
        rate=Rate(burst=10, per_s=1),
    ),
    Request(
        namespace=CUSTOMER,
        name="unwatch",
        summary="No more positions of this order.",
        request=Watched,
        response=Done,
        handler=unwatch,
        rate=Rate(burst=10, per_s=1),
    ),
    verb_request(CUSTOMER, "choose", ChooseGrab, OrderAck, roles=("user",), summary="I choose this candidate."),
    *talk_requests(CUSTOMER),
    refresh_request(CUSTOMER),
)
