"""Verbs of the operator: publish words, switch kinds."""

from __future__ import annotations

from dataclasses import replace

from rest.reach.config import store
from rest.reach.config.model import NoticeRules, Template, TemplateChanged, check_switch, check_template
from rest.reach.kinds import FAMILIES, KINDS
from rest.reach.model import UnknownKind
from rest.reach.words import Words
from storage.base.errors import StaleVersion
from storage.tx import Tx


def check_words(kind: str, said: Words) -> None:
    """Raises UnknownKind, TemplateVariableUnknown, TemplateMalformed."""
    if kind not in KINDS:
        raise UnknownKind(kind=kind)
    for text in said:
        check_template(kind, text)


async def publish(tx: Tx, kind: str, language: str, said: Words | None, *, after: int, by_id: str) -> Template:
    """Have the kind say this from now on, or (None) what it says by itself. `after`: the version this one replaces.

    Raises what `check_words` does, TemplateChanged.
    """
    check_words(kind, said or Words("", ""))
    title, body = (None, None) if said is None else said
    new = Template(
        kind=kind, language=language, version=after + 1, title=title, body=body, created_by=by_id, created_at=tx.now
    )
    if not await store.add_template(tx, new):
        raise TemplateChanged
    return new


async def set_rules(tx: Tx, now: NoticeRules, *, off: frozenset[str], hour_max: int | None, by_id: str) -> NoticeRules:
    """These count from now on. Raises UnknownKind, NoticeProtected, StaleVersion."""
    for entry in sorted(off):
        kind, _, channel = entry.partition("/")
        if kind not in KINDS.keys() | FAMILIES:
            raise UnknownKind(kind=kind)
        check_switch(kind, channel)
    new = replace(now, version=now.version + 1, off=off, hour_max=hour_max, created_by=by_id, created_at=tx.now)
    if not await store.add_rules(tx, new):
        raise StaleVersion
    return new
