"""Verbs of exports: ask for one, and what the job writes about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rest.papers.exports import store
from rest.papers.exports.facts import ExportEnded
from rest.papers.exports.model import (
    ATTEMPTS_MAX,
    DAY_MAX,
    WAITING_MAX,
    Export,
    ExportLimit,
    ExportState,
    Filters,
    Kind,
)
from rest.papers.sheet import MEDIA, Format, Language
from storage import files
from storage.base.errors import NotFound
from storage.tx import Tx

MAKE = "export.make"
PURPOSE = "export"
"""Of the files: nobody can attach them to anything."""


async def ask(
    tx: Tx,
    kind: Kind,
    filters: Filters,
    *,
    account_id: str,
    made_as: Format,
    language: Language,
) -> Export:
    """Have these rows made into a file. Raises FilterUnknown, ExportLimit, and what the kind refuses with."""
    kind.check(filters)
    scope = await kind.scoping(tx, account_id, filters)
    load = await store.lock_account(tx, account_id)
    if load.waiting >= WAITING_MAX or load.of_day >= DAY_MAX:
        raise ExportLimit(waiting_max=WAITING_MAX, day_max=DAY_MAX)
    new = Export(
        id=tx.new_id("exp"),
        account_id=account_id,
        kind=kind.name,
        format=made_as,
        language=language,
        filters=filters,
        scope=scope,
        state=ExportState.WAITING,
        attempts=0,
        claimed_until=None,
        file_id=None,
        row_count=None,
        problem=None,
        created_at=tx.now,
        ended_at=None,
    )
    await store.insert(tx, new)
    tx.schedule(MAKE, _key(new.id), tx.now, {"export_id": new.id})
    return new


async def begin(tx: Tx, export_id: str, *, takes_s: float) -> Export | None:
    """Claim it for this process; None when there is nothing to do.

    Whoever dies over it is replaced when the claim ends. Again and again: it is given up.
    """
    until = tx.now + timedelta(seconds=takes_s)
    export = await store.claim(tx, export_id, until)
    if export is None:
        return None
    if export.attempts > ATTEMPTS_MAX:
        await give_up(tx, export_id, "export_failed")
        return None
    tx.schedule(MAKE, _key(export_id), until, {"export_id": export_id})
    return export


async def put_off(tx: Tx, export_id: str, *, wait_s: float) -> None:
    """This process has no room; somebody shall look again."""
    await store.unclaim(tx, export_id)
    tx.schedule(MAKE, _key(export_id), tx.now + timedelta(seconds=wait_s), {"export_id": export_id})


async def finish(tx: Tx, export_id: str, content: bytes, row_count: int, *, keep_s: int) -> Export:
    """Keep the file; once, whoever else has made it too. Locks: the export."""
    export = await _lock(tx, export_id)
    if export.state is not ExportState.WAITING:
        return export
    file = await files.keep(
        tx,
        content,
        owner_id=export.account_id,
        purpose=PURPOSE,
        media_type=MEDIA[export.format],
        name=export.file_name,
        expires_at=tx.now + timedelta(seconds=keep_s),
    )
    return await _end(tx, replace(export.after("finish", tx.now), file_id=file.id, row_count=row_count))


async def give_up(tx: Tx, export_id: str, problem: str) -> Export:
    """It cannot be made; `problem` is the code of why. Locks: the export."""
    export = await _lock(tx, export_id)
    if export.state is not ExportState.WAITING:
        return export
    return await _end(tx, replace(export.after("give_up", tx.now), problem=problem))


async def _lock(tx: Tx, export_id: str) -> Export:
    export = await store.lock(tx, export_id)
    if export is None:
        raise NotFound
    return export


async def _end(tx: Tx, ended: Export) -> Export:
    await store.save(tx, ended)
    tx.unschedule(_key(ended.id))
    fact = ExportEnded(
        export_id=ended.id, kind=ended.kind, state=ended.state.value, file_id=ended.file_id, problem=ended.problem
    )
    tx.tell(fact, to=[f"customer:{ended.account_id}"])
    return ended


def _key(export_id: str) -> str:
    return f"export:{export_id}"
