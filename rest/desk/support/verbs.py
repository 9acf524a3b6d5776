"""What sockets ask of the desk: the verbs of agents, each once, with the errors they have over HTTP.

What is asked here is written down as over HTTP (`rest.edge.audit`), under the same operation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import to_builtins

from chat import desk
from chat.desk import Agent, Thread
from rest.desk.conversations.readers import Caller, is_supervisor, seen_by, side_of
from rest.desk.support import acts
from rest.desk.support.values import AgentView, ThreadView
from rest.edge import audit
from rest.edge.once import Fields, Verb, once
from storage.base.errors import Denied, NotFound
from storage.postgres import Database
from storage.tx import Tx

Act = Callable[[Tx, Caller, Any], Awaitable[Thread | Agent]]

_SUBJECTS = ("assignment_id", "conversation_id")


def _verb(operation: str, act: Act) -> Verb:
    async def run(db: Database, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
        async def work(tx: Tx) -> Fields:
            done = await act(tx, caller, body)
            path = {name: getattr(body, name) for name in _SUBJECTS if hasattr(body, name)}
            await audit.write_asked(
                tx, actor_id=caller.account_id, operation=operation, path=path, body=body, version=done.version
            )
            return _fields(done)

        return await once(db, caller.account_id, operation, body, work)

    return run


def _fields(done: Thread | Agent) -> Fields:
    view = AgentView.of(done) if isinstance(done, Agent) else ThreadView.of(done)
    fields: Fields = to_builtins(view)
    return fields


async def _transfer(tx: Tx, who: Caller, body: Any) -> Thread:  # noqa: ANN401 - the hub names the type
    return await acts.transfer(tx, who, body.conversation_id, acts.Handing.of(body))


async def boards(db: Database, caller: Caller, _body: object) -> Fields:
    """The queues a supervisor watches over, in numbers. Raises Denied."""
    if not is_supervisor(caller):
        raise Denied
    async with db.begin() as tx:
        return {"boards": await desk.boards_of(tx, side_of(caller))}


async def may_watch(db: Database, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    """Whether the caller's desk has a thread about this order. Raises NotFound."""
    async with db.look() as tx:
        if not await desk.is_about(tx, "order", body.order_id, tenant_id=side_of(caller), seen_by=seen_by(caller)):
            raise NotFound
    return {}


class DeskPort:
    """What hubs ask of the desk beside verbs: presence of those with a socket, and lines."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def renew(self, account_ids: Sequence[str]) -> datetime | None:
        """Those of them who are agents are present for one more lease; until when."""
        return await self._db.run(desk.renew_presences, account_ids)

    async def end(self, account_id: str, renewed_until: datetime) -> None:
        """The account has no socket any more where its presence was renewed until then."""
        await self._db.run(desk.end_unrenewed, account_id, renewed_until)

    async def read_line(self, queue_id: str) -> desk.Line | None:
        async with self._db.look() as tx:
            return await desk.line_of(tx, queue_id)


VERBS: Mapping[str, Verb] = {  # `boards` and `may_watch` are no requests: what `watch` asks first
    "desk.accept": _verb("desk.accept", lambda tx, who, body: acts.accept(tx, who, body.assignment_id)),
    "desk.decline": _verb("desk.decline", lambda tx, who, body: acts.decline(tx, who, body.assignment_id)),
    "desk.set_state": _verb("desk.set_state", lambda tx, who, body: acts.set_state(tx, who, body.state)),
    "desk.transfer": _verb("desk.transfer", _transfer),
    "desk.take_over": _verb(
        "desk.take_over", lambda tx, who, body: acts.take_over(tx, who, body.conversation_id, body.note)
    ),
    "desk.resolve": _verb(
        "desk.resolve", lambda tx, who, body: acts.resolve(tx, who, body.conversation_id, body.resolution)
    ),
    "desk.close": _verb("desk.close_thread", lambda tx, who, body: acts.close(tx, who, body.conversation_id)),
    "desk.boards": boards,
    "desk.may_watch": may_watch,
    "desk.snooze": _verb(
        "desk.snooze", lambda tx, who, body: acts.snooze(tx, who, body.conversation_id, body.until, body.later)
    ),
    "desk.wake": _verb("desk.wake", lambda tx, who, body: acts.wake(tx, who, body.conversation_id)),
    "desk.convert": _verb("desk.convert", lambda tx, who, body: acts.convert(tx, who, body.conversation_id, body.kind)),
}
