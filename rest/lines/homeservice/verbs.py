"""Business verbs for sockets: each opens its own transaction and gives the fields of the ack.

Every body has a `req_id`, or none: a phone that does not know whether a request arrived repeats it with the same one.
Keys are `<app>.<request>`. The caller is whoever the hub has admitted: an account, and its worker if it is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import dispatch
from rest.edge.once import Fields, Verb, once
from rest.lines.homeservice import actions
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import Job
from rest.lines.homeservice.starting import with_tries
from rest.lines.homeservice.technicians import NotActive
from rest.trade import orders
from rest.trade.orders import By, Role
from storage.postgres import Database
from storage.tx import Tx


class Caller(Protocol):
    """Who asks."""

    @property
    def account_id(self) -> str: ...

    @property
    def worker_id(self) -> str | None: ...


def worker_of(caller: Caller) -> str:
    """Raises NotActive for an account that is no worker."""
    if caller.worker_id is None:
        raise NotActive
    return caller.worker_id


def order_ack(job: Job) -> Fields:
    """Where the order stands now."""
    return {"order_id": job.order.id, "status": job.order.status, "version": job.order.version}


def _verb(name: str, act: Callable[[Tx, Caller, Any], Awaitable[Fields]]) -> Verb:
    async def run(db: Database, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
        return await once(db, caller.account_id, name, body, lambda tx: act(tx, caller, body))

    return run


async def online(tx: Tx, caller: Caller, _body: object) -> Fields:
    worker = await dispatch.go_online(tx, worker_of(caller))
    return {"worker_id": worker.id, "online": worker.online}


async def offline(tx: Tx, caller: Caller, _body: object) -> Fields:
    worker = await dispatch.go_offline(tx, worker_of(caller), reason="asked")
    return {"worker_id": worker.id, "online": worker.online}


async def grab(db: Database, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    """Knows its `req_id` by the grab itself."""
    async with db.turns.take(body.call_id):
        made = await db.run(actions.grab, body.call_id, worker_of(caller), request_id=body.req_id)
    return {"grab_id": made.id, "call_id": made.call_id, "state": made.state}


async def decline(tx: Tx, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    await actions.decline(tx, body.call_id, worker_of(caller))
    return {}


async def withdraw(tx: Tx, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    await actions.withdraw(tx, body.call_id, worker_of(caller))
    return {}


async def choose(tx: Tx, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    chosen = await actions.choose(tx, body.order_id, caller.account_id, body.grab_id, shown=body.quote_hash)
    return order_ack(chosen)


async def reject(tx: Tx, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    return order_ack(await actions.reject(tx, body.order_id, worker_of(caller), body.reason))


async def ask_terminate(tx: Tx, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    return order_ack(await actions.ask_terminate(tx, body.order_id, worker_of(caller), body.reason))


async def find_customer(tx: Tx, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    worker_id = worker_of(caller)
    job = await orders.lock_for_worker(tx, HOMESERVICE, body.order_id, worker_id)
    return order_ack(await actions.find_customer(tx, job, By(Role.WORKER, worker_id)))


async def start(db: Database, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    async def act(tx: Tx) -> Fields:
        return order_ack(await actions.start(tx, body.order_id, worker_of(caller), body.code))

    return await with_tries(db, body.order_id, lambda: once(db, caller.account_id, "worker.start", body, act))


def _step(name: str, verb: Callable[[Tx, str, str], Awaitable[Job]]) -> Verb:
    async def act(tx: Tx, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
        return order_ack(await verb(tx, body.order_id, worker_of(caller)))

    return _verb(name, act)


VERBS: Mapping[str, Verb] = {
    "worker.online": _verb("worker.online", online),
    "worker.offline": _verb("worker.offline", offline),
    "worker.grab": grab,
    "worker.decline": _verb("worker.decline", decline),
    "worker.withdraw": _verb("worker.withdraw", withdraw),
    "worker.accept": _step("worker.accept", actions.accept),
    "worker.reject": _verb("worker.reject", reject),
    "worker.depart": _step("worker.depart", actions.depart),
    "worker.arrive": _step("worker.arrive", actions.arrive),
    "worker.start": start,
    "worker.leave": _step("worker.leave", actions.leave),
    "worker.ask_terminate": _verb("worker.ask_terminate", ask_terminate),
    "worker.miss_customer": _step("worker.miss_customer", actions.miss_customer),
    "worker.find_customer": _verb("worker.find_customer", find_customer),
    "customer.choose": _verb("customer.choose", choose),
}
