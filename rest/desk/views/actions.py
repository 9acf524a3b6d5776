"""Keeping, listing and dropping saved views. Who may is the caller's to say: it names the holders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rest.desk.views import store
from rest.desk.views.model import VIEWS_MAX, TooManyViews, View, ViewNameUsed
from storage.base.errors import NotFound
from storage.postgres import RetryTx
from storage.tx import Tx


async def save(tx: Tx, holder: str, name: str, wanted: Mapping[str, str], *, by_id: str) -> View:
    """Raises ViewNameUsed, TooManyViews."""
    view = View(
        id=tx.new_id("vew"), holder=holder, name=name, filter=dict(wanted), created_by=by_id, created_at=tx.now
    )
    if await store.insert(tx, view, VIEWS_MAX):
        return view
    if await store.of_name(tx, holder, name):
        raise ViewNameUsed
    if await store.count(tx, holder) >= VIEWS_MAX:
        raise TooManyViews
    raise RetryTx  # somebody took the place in the same moment


async def page(tx: Tx, holders: Sequence[str], *, after: str = "", limit: int = 20) -> list[View]:
    """Of these holders, oldest first."""
    return await store.page(tx, holders, after, limit)


async def remove(tx: Tx, view_id: str, holders: Sequence[str]) -> None:
    """Only one of theirs. Raises NotFound."""
    view = await store.lock(tx, view_id)
    if view is None or view.holder not in holders:
        raise NotFound
    await store.delete(tx, view_id)
