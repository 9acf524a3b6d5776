"""Business verbs for sockets: each opens its own transaction and gives the fields of the ack.

Keys are `<app>.<request>`. The caller is whoever the hub has admitted: an account, and its worker if it is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import dispatch
from rest.lines.homeservice import actions
from rest.lines.homeservice.model import Job
from rest.lines.homeservice.starting import start_with_code
from rest.lines.homeservice.technicians import NotActive
from storage.postgres import Database
from storage.tx import Tx

Fields = Mapping[str, Any]


class Caller(Protocol):
    """Who asks."""

    @property
    def account_id(self) -> str: ...

    @property
    def worker_id(self) -> str | None: ...


Verb = Callable[[Database, Any, Any], Awaitable[Fields]]


def worker_of(caller: Caller) -> str:
    """Raises NotActive for an account that is no worker."""
    if caller.worker_id is None:
        raise NotActive
    return caller.worker_id


def order_ack(job: Job) -> Fields:
    """Where the order stands now."""
    return {"order_id": job.order.id, "status": job.order.status, "version": job.order.version}


async def online(db: Database, caller: Caller, _body: object) -> Fields:
    worker = await db.run(dispatch.go_online, worker_of(caller))
    return {"worker_id": worker.id, "online": worker.online}


async def offline(db: Database, caller: Caller, _body: object) -> Fields:
    worker = await db.run(dispatch.go_offline, worker_of(caller), reason="asked")
    return {"worker_id": worker.id, "online": worker.online}


async def grab(db: Database, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    async with db.turns.take(body.call_id):
        made = await db.run(actions.grab, body.call_id, worker_of(caller), request_id=body.req_id)
    return {"grab_id": made.id, "call_id": made.call_id, "state": made.state}


async def decline(db: Database, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    await db.run(actions.decline, body.call_id, worker_of(caller))
    return {}


async def withdraw(db: Database, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    await db.run(actions.withdraw, body.call_id, worker_of(caller))
    return {}


async def choose(db: Database, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    return order_ack(await db.run(actions.choose, body.order_id, caller.account_id, body.grab_id))


async def reject(db: Database, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    return order_ack(await db.run(actions.reject, body.order_id, worker_of(caller), body.reason))


async def start(db: Database, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    return order_ack(await start_with_code(db, body.order_id, worker_of(caller), body.code))


def _step(verb: Callable[[Tx, str, str], Awaitable[Job]]) -> Verb:
    async def run(db: Database, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
        return order_ack(await db.run(verb, body.order_id, worker_of(caller)))

    return run


VERBS: Mapping[str, Verb] = {
    "worker.online": online,
    "worker.offline": offline,
    "worker.grab": grab,
    "worker.decline": decline,
    "worker.withdraw": withdraw,
    "worker.accept": _step(actions.accept),
    "worker.reject": reject,
    "worker.depart": _step(actions.depart),
    "worker.arrive": _step(actions.arrive),
    "worker.start": start,
    "worker.leave": _step(actions.leave),
    "customer.choose": choose,
}
