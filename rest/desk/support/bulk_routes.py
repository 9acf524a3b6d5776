"""The same done to many threads at once: each in a transaction of its own, each with an answer of its own.

A refused one undoes no other. Sent again under the same key, what was done is not done twice and what was refused stays
refused: every thread has a key of its own under the request's (`Ctx.transact_each`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from chat.desk import Thread
from rest.desk.conversations.readers import PLATFORM, TENANT, is_supervisor
from rest.desk.support import acts
from rest.desk.support.values import SeverityWord, ThreadView
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Finished, Reply
from rest.edge.values import Body, Id, Note
from storage.base import codec
from storage.base.errors import Malformed
from storage.tx import Tx

STAFF = (*PLATFORM, "ops", *TENANT)
THREADS_MAX = 50


class BulkBody(Body, frozen=True, kw_only=True):
    """`assign` needs `agent_id` and `note`, `resolve` of tickets `resolution`, `severity` its word; `close` nothing."""

    conversation_ids: Annotated[list[Id], Meta(min_length=1, max_length=THREADS_MAX)]
    verb: Literal["assign", "resolve", "close", "severity"]
    agent_id: Id | None = None
    note: Note | None = None
    resolution: Note | None = None
    severity: SeverityWord | None = None


class BulkItem(msgspec.Struct, frozen=True, kw_only=True):
    """`thread` as it stands now, or why not: the `code` and `detail` the verb alone would have answered with."""

    conversation_id: str
    is_done: bool
    thread: ThreadView | None = None
    code: str | None = None
    detail: str | None = None

    @classmethod
    def of(cls, conversation_id: str, done: Finished) -> BulkItem:
        if done.status < 300:
            thread = msgspec.json.decode(done.raw, type=ThreadView)
            return cls(conversation_id=conversation_id, is_done=True, thread=thread)
        problem = codec.loads(done.raw)
        return cls(conversation_id=conversation_id, is_done=False, code=problem["code"], detail=problem["detail"])


class BulkView(msgspec.Struct, frozen=True, kw_only=True):
    """In the order asked for, each thread once."""

    data: list[BulkItem]


async def bulk(ctx: Ctx) -> Answer:
    body: BulkBody = ctx.body
    verb = _verb(ctx, body)

    async def act(tx: Tx, conversation_id: str) -> Answer:
        thread = await verb(tx, conversation_id)
        return Reply(ThreadView.of(thread), etag=thread.version)

    ids = list(dict.fromkeys(body.conversation_ids))
    done = await ctx.transact_each("conversation_id", ids, act)
    return BulkView(data=[BulkItem.of(one, answer) for one, answer in zip(ids, done, strict=True)])


def _verb(ctx: Ctx, body: BulkBody) -> Callable[[Tx, str], Awaitable[Thread]]:
    """What to do to each. Raises Malformed."""
    who = ctx.actor
    if body.verb == "resolve":
        return lambda tx, one: acts.resolve(tx, who, one, body.resolution)
    if body.verb == "close":
        return lambda tx, one: acts.close(tx, who, one)
    if body.verb == "severity" and body.severity is not None:
        severity = body.severity
        return lambda tx, one: acts.set_severity(tx, who, one, severity)
    if body.verb != "assign" or body.agent_id is None or body.note is None:
        raise Malformed("This verb needs more to be said.")
    if body.agent_id == who.account_id and is_supervisor(who):
        note = body.note
        return lambda tx, one: acts.take_over(tx, who, one, note)
    to = acts.Handing(body.note, body.agent_id, None, override=False)
    return lambda tx, one: acts.transfer(tx, who, one, to)


ROUTES = [
    Route("POST", "/v1/desk/bulk", bulk, "desk.bulk", "Do the same to up to fifty threads, each for itself",
          request=BulkBody, response=BulkView, idempotent="required", roles=STAFF, tags=("desk",)),
]  # fmt: skip
