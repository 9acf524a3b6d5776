"""`/worker`: what technician and driver apps ask."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from hub.asking import Ask
from hub.handlers.session import refresh_request
from hub.handlers.talk import talk_requests
from hub.handlers.verbs import verb_request
from hub.limits import Rate
from hub.members import WORKER
from hub.registry import Command, Done, Id, Request
from hub.tracking import SHAPES, FixObject, PositionAck

Text = Annotated[str, Meta(max_length=500)]


class CallRef(Command, frozen=True, kw_only=True):
    """A call, by the id in the offer."""

    call_id: Id


class OrderRef(Command, frozen=True, kw_only=True):
    order_id: Id


class RejectOrder(Command, frozen=True, kw_only=True):
    order_id: Id
    reason: Text = ""


class AskTerminate(Command, frozen=True, kw_only=True):
    """Why the technician does not want to go on."""

    order_id: Id
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class StartOrder(Command, frozen=True, kw_only=True):
    """`code` is what the customer shows."""

    order_id: Id
    code: Annotated[str, Meta(min_length=1, max_length=32)]


class WorkerAck(Done, frozen=True, kw_only=True):
    worker_id: str
    online: bool


class GrabAck(Done, frozen=True, kw_only=True):
    """The grab is in. For a first-wins call `grab.closed` says later whether it won."""

    grab_id: str
    call_id: str
    state: str


class OrderAck(Done, frozen=True, kw_only=True):
    """Where the order stands now."""

    order_id: str
    status: str
    version: int


def position(ask: Ask, body: Any) -> PositionAck:  # noqa: ANN401 - four shapes, read by geo.positions
    return ask.services.tracker.report(ask.worker_id, body, ask.principal.crs, ask.now)


REQUESTS: tuple[Request, ...] = (
    Request(
        namespace=WORKER,
        name="position",
        summary="Where I am: one fix or a batch, as objects or compact rows.",
        request=FixObject,
        shapes=SHAPES,
        response=PositionAck,
        handler=position,
        rate=Rate(burst=30, per_s=5),
    ),
    verb_request(WORKER, "online", Command, WorkerAck, "Offer me work."),
    verb_request(WORKER, "offline", Command, WorkerAck, "Stop offering me work; what I have goes on."),
    verb_request(WORKER, "grab", CallRef, GrabAck, "I want this call."),
    verb_request(WORKER, "decline", CallRef, Done, "I do not want this call."),
    verb_request(WORKER, "withdraw", CallRef, Done, "I take my grab back."),
    verb_request(WORKER, "accept", OrderRef, OrderAck, "I take this order."),
    verb_request(WORKER, "reject", RejectOrder, OrderAck, "I cannot take this order."),
    verb_request(WORKER, "depart", OrderRef, OrderAck, "I am on my way; the customer sees me from now."),
    verb_request(WORKER, "arrive", OrderRef, OrderAck, "I am there; the customer sees me no longer."),
    verb_request(WORKER, "start", StartOrder, OrderAck, "The service begins, with the customer's code."),
    verb_request(WORKER, "leave", OrderRef, OrderAck, "The service is over, or nobody has opened, and I leave."),
    verb_request(WORKER, "ask_terminate", AskTerminate, OrderAck, "I do not want to go on; support is asked."),
    verb_request(WORKER, "miss_customer", OrderRef, OrderAck, "I am at the door and reach nobody; my wait begins."),
    verb_request(WORKER, "find_customer", OrderRef, OrderAck, "The customer has come; my wait is over."),
    *talk_requests(WORKER),
    refresh_request(WORKER),
)
