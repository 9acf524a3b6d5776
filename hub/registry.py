"""The contract of the socket edge as data: what may be asked, what may be heard.

The same rows dispatch requests, build `/asyncapi.json` and feed the tests, so that none of them can say something
else than the others. Facts are registered by being declared (`storage.base.facts`); here stands only in which app
they can be heard.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hub.limits import Rate
from hub.members import CUSTOMER, DESK, WORKER
from storage.base.facts import Fact, declared_facts

Handler = Callable[[Any, Any], msgspec.Struct | Awaitable[msgspec.Struct]]
"""Takes who asks and the decoded body; gives the fields of the ack, at once when nothing has to be waited for: such a
handler is a plain function and costs no task. Raises HubError.

Who asks is an `hub.asking.Ask`, not named here: it knows this table, and arrows run one way.
"""

ANY_ROLE: tuple[str, ...] = ()


Id = Annotated[str, Meta(min_length=1, max_length=64)]


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request that changes something. `req_id` makes it safe to repeat: the same one gives the first answer again."""

    req_id: Id | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """Every ack that is not an error has `ok`."""

    ok: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing a client may ask. Empty `roles`: everybody the namespace admits. A body that comes in several `shapes`
    reaches the handler as it was parsed, and is the handler's to check."""

    namespace: str
    name: str
    summary: str
    request: type[msgspec.Struct]
    response: type[msgspec.Struct]
    handler: Handler
    roles: tuple[str, ...] = ANY_ROLE
    rate: Rate
    shapes: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing the server says that is not a fact: about the connection, or live. Never replayed."""

    namespaces: tuple[str, ...]
    name: str
    summary: str
    body: type[msgspec.Struct]


HEARD_IN: Mapping[str, tuple[str, ...]] = {
    "offer": (WORKER,),
    "grab": (WORKER, CUSTOMER),
    "order": (WORKER, CUSTOMER, DESK),
    "tracking": (WORKER, CUSTOMER, DESK),
    "payment": (CUSTOMER, WORKER, DESK),
    "money": (),  # between domains: no phone hears it
    "refund": (CUSTOMER, WORKER, DESK),
    "wallet": (CUSTOMER, WORKER),
    "settlement": (CUSTOMER, WORKER),
    "withdrawal": (CUSTOMER, WORKER, DESK),
    "penalty": (CUSTOMER, WORKER),
    "wait": (CUSTOMER, WORKER, DESK),
    "coupon": (CUSTOMER,),
    "voucher": (WORKER,),
    "referral": (CUSTOMER,),
    "points": (CUSTOMER,),
    "topup": (CUSTOMER, WORKER),
    "purchase": (CUSTOMER,),
    "membership": (CUSTOMER,),
    "invoice": (CUSTOMER,),
    "export": (CUSTOMER,),
    "reconciliation": (DESK,),
    "transfer": (CUSTOMER,),
    "call": (WORKER, CUSTOMER, DESK),
    "areas": (DESK,),
    "worker": (DESK, WORKER),
    "case": (DESK, CUSTOMER, WORKER),  # the sides hear how their own stands
    "thread": (DESK,),
    "queue": (DESK,),
    "support": (WORKER, CUSTOMER),
    "agent": (DESK,),
    "promise": (DESK,),
    "rating": (WORKER, CUSTOMER, DESK),
    "message": (WORKER, CUSTOMER, DESK),
    "conversation": (WORKER, CUSTOMER, DESK),
    "notice": (WORKER, CUSTOMER, DESK),
    "broadcast": (DESK,),
    "feedback": (WORKER, CUSTOMER, DESK),
    "account": (WORKER, CUSTOMER, DESK),
    "session": (),  # control: the hub itself closes the sockets of the session
}
"""First word of a topic to the apps in which it can be heard. The audience of each fact decides who really does."""


class Registry:
    """Requests, notices and facts of one hub."""

    def __init__(self, requests: Iterable[Request], notices: Iterable[Notice]) -> None:
        self.requests: dict[tuple[str, str], Request] = {}
        for request in requests:
            key = (request.namespace, request.name)
            if key in self.requests:
                raise ValueError(f"{request.name} is declared twice in {request.namespace}")
            self.requests[key] = request
        self.notices = tuple(notices)
        self.namespaces = tuple(dict.fromkeys(namespace for namespace, _ in self.requests))

    def requests_of(self, namespace: str) -> list[Request]:
        return [request for (where, _), request in self.requests.items() if where == namespace]

    def notices_of(self, namespace: str) -> list[Notice]:
        return [notice for notice in self.notices if namespace in notice.namespaces]


def heard_in(topic: str) -> tuple[str, ...]:
    """The apps in which facts of this topic can be heard. Raises LookupError for a topic nobody has placed."""
    word = topic.partition(".")[0]
    if word not in HEARD_IN:
        raise LookupError(f"{topic}: say in hub/registry.py in which app `{word}.*` is heard")
    return HEARD_IN[word]


def facts_of(namespace: str) -> dict[str, type[Fact]]:
    """Topic to fact class, for the facts that can be heard in this app."""
    return {topic: kind for topic, kind in declared_facts().items() if namespace in heard_in(topic)}
