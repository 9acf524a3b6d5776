"""Verbs of content: announced, changed, withdrawn; written, changed, taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rest.desk.content import store
from rest.desk.content.model import Announcement, HelpDocument, check_period
from storage.base.errors import NotFound, StaleVersion
from storage.tx import Tx


async def announce(tx: Tx, by_id: str, **fields: Any) -> Announcement:  # noqa: ANN401 - fields
    """Raises AnnouncementPeriod."""
    check_period(fields["begins_at"], fields["ends_at"], tx.now)
    new = Announcement(id=tx.new_id("anc"), created_by=by_id, created_at=tx.now, changed_at=tx.now, **fields)
    await store.save_announcement(tx, new)
    return new


async def find_announcement(tx: Tx, announcement_id: str, *, lock: bool = False) -> Announcement:
    """Raises NotFound."""
    found = await store.announcement(tx, announcement_id, lock=lock)
    if found is None:
        raise NotFound
    return found


async def change_announcement(tx: Tx, before: Announcement, changes: Mapping[str, Any]) -> Announcement:
    """The row is locked by the caller. Raises AnnouncementPeriod."""
    after = replace(before, **changes, changed_at=tx.now, version=before.version + 1)
    if not after.withdrawn:
        check_period(after.begins_at, after.ends_at, tx.now)
    if not await store.save_announcement(tx, after):
        raise StaleVersion
    return after


async def write_document(tx: Tx, by_id: str, **fields: Any) -> HelpDocument:  # noqa: ANN401 - fields
    new = HelpDocument(id=tx.new_id("hlp"), changed_by=by_id, created_at=tx.now, changed_at=tx.now, **fields)
    await store.save_document(tx, new)
    return new


async def find_document(tx: Tx, document_id: str, *, only_published: bool, lock: bool = False) -> HelpDocument:
    """Raises NotFound."""
    found = await store.document(tx, document_id, lock=lock)
    if found is None or (only_published and not found.published):
        raise NotFound
    return found


async def change_document(tx: Tx, before: HelpDocument, changes: Mapping[str, Any], *, by_id: str) -> HelpDocument:
    """The row is locked by the caller."""
    after = replace(before, **changes, changed_by=by_id, changed_at=tx.now, version=before.version + 1)
    if not await store.save_document(tx, after):
        raise StaleVersion
    return after


async def take_away(tx: Tx, document_id: str) -> None:
    """Raises NotFound."""
    if not await store.delete_document(tx, document_id):
        raise NotFound
