"""What staff do with cases, the same over HTTP and sockets: who may, then the verb of `chat.cases` or of the line.

Cases are the platform's: whoever works for a tenant finds none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from chat import cases, conversations
from chat.cases import Case
from rest.desk.cases import contacting
from rest.desk.cases.deciding import leads
from rest.desk.cases.sides import Sides, Word
from rest.desk.cases.values import CaseReached
from rest.desk.conversations.readers import Caller, check_platform, reader_of
from rest.people import account_of
from storage.base.errors import Malformed
from storage.tx import Tx

READERS = ("support", "supervisor", "finance", "ops", "admin")
WORKERS = ("support", "supervisor", "admin")

Step = Callable[[Tx, Caller, str, Any], Awaitable[Case]]
"""One thing done to a case, by id, by who calls, with what was asked beside it."""


async def take(tx: Tx, who: Caller, case_id: str, _body: object) -> Case:
    check_platform(who)
    return await cases.take_case(tx, case_id, who.account_id)


async def release(tx: Tx, who: Caller, case_id: str, body: Any) -> Case:  # noqa: ANN401 - of a route or of a socket
    check_platform(who)
    return await cases.release_case(tx, case_id, who.account_id, leads=leads(who.roles), note=body.note)


async def transfer(tx: Tx, who: Caller, case_id: str, body: Any) -> Case:  # noqa: ANN401 - as above
    """Raises Malformed where the colleague works no cases."""
    check_platform(who)
    if (await account_of(tx, body.to)).roles.isdisjoint(WORKERS):
        raise Malformed("This account works no cases.", field="to")
    return await cases.transfer_case(tx, case_id, who.account_id, body.to, note=body.note, leads=leads(who.roles))


async def remark(tx: Tx, who: Caller, case_id: str, body: Any) -> Case:  # noqa: ANN401 - as above
    check_platform(who)
    return await cases.remark(tx, case_id, who.account_id, body.note)


async def contact(tx: Tx, who: Caller, case_id: str, body: Any) -> CaseReached:  # noqa: ANN401 - as above
    check_platform(who)
    _, conversation_id = await contacting.contact(tx, case_id, who.account_id, party=body.party, way=body.way)
    if conversation_id is not None:  # it may have been there before, and be kept to others
        await conversations.read_conversation(tx, reader_of(who.account_id, who.roles), conversation_id)
    return CaseReached(conversation_id=conversation_id, call="no_provider" if body.way == contacting.CALL else None)


async def open_by_hand(tx: Tx, sides: Sides, who: Caller, body: Any) -> Case:  # noqa: ANN401 - as above
    """Raises Malformed where no line has this name."""
    check_platform(who)
    if body.line not in sides:
        raise Malformed("There is no such line.", field="line")
    return await sides[body.line].open_by_hand(tx, body.subject_id, who.account_id, body.note)


def word_of(who: Caller, body: Any) -> Word:  # noqa: ANN401 - as above
    """What the caller decides. Raises Denied."""
    check_platform(who)
    return Word(by=who.account_id, roles=who.roles, outcome=body.outcome, note=body.note, params=body.params)
