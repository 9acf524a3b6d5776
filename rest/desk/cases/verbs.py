"""What sockets ask of cases: the steps of `acts`, each once, with the errors they have over HTTP.

What is asked here is written down as over HTTP (`rest.edge.audit`), under the same operation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from chat import cases
from chat.cases import Case
from rest.desk.cases import acts, deciding
from rest.desk.cases.deciding import Undone
from rest.desk.cases.sides import Sides
from rest.desk.cases.values import CaseView, MovedView
from rest.desk.conversations.readers import Caller
from rest.edge import audit
from rest.edge.once import Fields, Verb, once
from storage.postgres import Database
from storage.tx import Tx

Act = Callable[[Tx, Caller, Any], Awaitable[tuple[Fields, Case | None]]]
"""The fields of the ack, and the case as it is now where it took a step."""


def case_verbs(sides: Sides) -> Mapping[str, Verb]:
    """By the name hubs ask for; `sides` are the business lines whose cases can be decided."""
    steps = {"take": acts.take, "release": acts.release, "transfer": acts.transfer, "remark": acts.remark}
    return {
        **{f"desk.case.{name}": _verb(f"cases.{name}", _taking(step)) for name, step in steps.items()},
        "desk.case.open": _verb("cases.open", _opening(sides)),
        "desk.case.contact": _verb("cases.contact", _contact),
        "desk.case.decide": _deciding(sides),
    }


def _taking(step: acts.Step) -> Act:
    async def act(tx: Tx, who: Caller, body: Any) -> tuple[Fields, Case | None]:  # noqa: ANN401 - the hub names the type
        case = await step(tx, who, body.case_id, body)
        return {"case": _plain(CaseView.of(case))}, case

    return act


def _opening(sides: Sides) -> Act:
    async def act(tx: Tx, who: Caller, body: Any) -> tuple[Fields, Case | None]:  # noqa: ANN401 - as above
        case = await acts.open_by_hand(tx, sides, who, body)
        return {"case": _plain(CaseView.of(case))}, case

    return act


async def _contact(tx: Tx, who: Caller, body: Any) -> tuple[Fields, None]:  # noqa: ANN401 - as above
    fields: Fields = _plain(await acts.contact(tx, who, body.case_id, body))
    return fields, None


def _deciding(sides: Sides) -> Verb:
    async def act(tx: Tx, who: Caller, body: Any) -> tuple[Fields, Case | None]:  # noqa: ANN401 - as above
        word = acts.word_of(who, body)
        if body.dry_run:
            await deciding.preview(tx, sides, body.case_id, word)
        case, moved = await deciding.decide(tx, sides, body.case_id, word, shown=body.preview_hash)
        view = MovedView.of(body.case_id, word.outcome, moved)
        return {"case": _plain(CaseView.of(case)), "moved": _plain(view)}, case

    decided = _verb("cases.decide", act)

    async def run(db: Database, who: Caller, body: Any) -> Fields:  # noqa: ANN401 - as above
        try:
            return await decided(db, who, body)
        except Undone as undone:
            async with db.begin() as tx:
                case = await cases.find_case(tx, body.case_id)
            view = MovedView.of(body.case_id, body.outcome, undone.moved)
            return {"case": _plain(CaseView.of(case)), "moved": _plain(view)}

    return run


def _verb(operation: str, act: Act) -> Verb:
    async def run(db: Database, who: Caller, body: Any) -> Fields:  # noqa: ANN401 - as above
        async def work(tx: Tx) -> Fields:
            fields, case = await act(tx, who, body)
            case_id, version = (body.case_id, None) if case is None else (case.id, case.version)
            await audit.write_asked(
                tx, actor_id=who.account_id, operation=operation, path={"case_id": case_id}, body=body, version=version
            )
            return fields

        return await once(db, who.account_id, operation, body, work)

    return run


def _plain(view: msgspec.Struct) -> Any:  # noqa: ANN401 - JSON
    return msgspec.to_builtins(view)
