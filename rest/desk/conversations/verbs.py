"""What sockets ask of conversations: each verb opens its own transaction and gives the fields of the ack.

Keys are `<app>.<request>`. In `/customer` and `/worker` the caller speaks for himself whatever else he is, in `/desk`
for support. A message needs no `req_id`: its `client_id` is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import to_builtins

from chat import conversations
from chat.conversations import Reader, Role, Sight
from chat.conversations.facts import hearers, staff_hearers
from geo.datum import Crs, from_wgs84
from geo.point import Point
from rest.desk.conversations import readers
from rest.desk.conversations.readers import reader_of
from rest.desk.conversations.routes import marked
from rest.desk.conversations.values import MessageView, SaidView
from rest.edge.once import Fields, Verb
from storage.postgres import Database
from storage.tx import Tx


class Caller(readers.Caller, Protocol):
    """Who asks over a socket."""

    @property
    def crs(self) -> Crs: ...


Act = Callable[[Tx, Reader, Caller, Any], Awaitable[Fields]]


async def say(tx: Tx, me: Reader, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    said = await conversations.say(
        tx,
        me,
        body.conversation_id,
        body.content(caller.crs),
        client_id=body.client_id,
        base_seq=body.base_seq,
        assign_epoch=body.assign_epoch,
    )
    return _said(body, said)


async def edit(tx: Tx, me: Reader, _caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    said = await conversations.edit_message(
        tx, me, body.conversation_id, body.target_seq, body.text, client_id=body.client_id
    )
    return _said(body, said)


async def recall(tx: Tx, me: Reader, _caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    said = await conversations.recall_message(tx, me, body.conversation_id, body.target_seq, client_id=body.client_id)
    return _said(body, said)


def _said(body: Any, said: conversations.Said) -> Fields:  # noqa: ANN401 - the hub names the type
    fields: Fields = to_builtins(SaidView.of(body.conversation_id, body.client_id, said), builtin_types=())
    return fields


async def read(tx: Tx, me: Reader, _caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    marks = await marked(tx, me, body.conversation_id, body.read_seq, body.delivered_seq)
    fields: Fields = to_builtins(marks)
    return fields


async def sync(tx: Tx, me: Reader, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    """What is missing of the conversations named, and how far all open ones are."""
    deltas = await conversations.sync(tx, me, body.have)
    digest = await conversations.digests(tx, [me])
    return {
        "conversations": [
            {
                "conversation_id": delta.conversation_id,
                "messages": [_shown(to_builtins(MessageView.of(one)), caller.crs) for one in delta.messages],
                "last_seq": delta.last_seq,
                "more": delta.more,
            }
            for delta in deltas
        ],
        "digest": digest.get(me.account_id, {}),
    }


def _shown(message: dict[str, Any], crs: Crs) -> dict[str, Any]:
    """A place in the caller's coordinate system."""
    data = message["data"]
    if data is not None and "lon" in data and crs != "wgs84":
        lon, lat = from_wgs84(Point(data["lon"], data["lat"]), crs)
        message["data"] = data | {"lon": lon, "lat": lat}
    return message


async def draft(tx: Tx, me: Reader, _caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    await conversations.save_draft(tx, me, body.conversation_id, body.text, base_seq=body.base_seq)
    return {}


async def follow(tx: Tx, me: Reader, _caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    """Read along, unseen by those who are served; who takes part already hears everything anyway."""
    standing, _ = await conversations.read_conversation(tx, me, body.conversation_id)
    if standing.member is None or not standing.member.is_active:
        await conversations.join(tx, body.conversation_id, me.account_id, Role.OBSERVER)
    return {}


async def unfollow(tx: Tx, me: Reader, _caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    standing, _ = await conversations.read_conversation(tx, me, body.conversation_id)
    if standing.member is not None and standing.member.role is Role.OBSERVER:
        await conversations.leave(tx, body.conversation_id, me.account_id)
    return {}


async def circle(tx: Tx, me: Reader, _caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
    """As what the caller stands in a conversation, and who hears it when he says, notes or looks at something there.

    Raises NotFound; ReadOnly for who has left.
    """
    standing, sight = await conversations.read_conversation(tx, me, body.conversation_id)
    if sight.last is not None:
        raise conversations.ReadOnly
    conversation, active = standing.conversation, standing.active
    return {
        "role": _role(me, standing.member, sight),
        "said": hearers(conversation, active, internal=False),
        "noted": hearers(conversation, active, internal=True),
        "desk": staff_hearers(conversation, active),
    }


def _role(me: Reader, member: conversations.Member | None, sight: Sight) -> str:
    if not sight.internal and member is not None:
        return member.role.value
    return "supervisor" if me.staff is not None and me.staff.is_supervisor else "agent"


async def digests(
    db: Database, callers: Sequence[tuple[str, frozenset[str] | None, str | None]]
) -> dict[str, dict[str, int]]:
    """Account → conversation → last seq; roles are None for who speaks for himself."""
    readers = [Reader(who) if roles is None else reader_of(who, roles, tenant) for who, roles, tenant in callers]
    async with db.look() as tx:
        return await conversations.digests(tx, readers)


def _verb(act: Act, *, is_desk: bool) -> Verb:
    async def run(db: Database, caller: Caller, body: Any) -> Fields:  # noqa: ANN401 - the hub names the type
        me = reader_of(caller.account_id, caller.roles, caller.tenant_id) if is_desk else Reader(caller.account_id)
        is_light = act is edit or (act is say and body.file_id is None)  # a file is attached before the message
        return await (db.run_light if is_light else db.run)(act, me, caller, body)

    return run


_FOR_ALL = {"say": say, "edit": edit, "recall": recall, "read": read, "sync": sync, "circle": circle}
_FOR_STAFF = {"note": say, "draft": draft, "follow": follow, "unfollow": unfollow}

VERBS: Mapping[str, Verb] = {
    **{f"{app}.{name}": _verb(act, is_desk=False) for app in ("customer", "worker") for name, act in _FOR_ALL.items()},
    **{f"desk.{name}": _verb(act, is_desk=True) for name, act in {**_FOR_ALL, **_FOR_STAFF}.items()},
}
"""`circle` is no request: what typing and viewing ask first."""
