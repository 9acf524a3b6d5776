"""SQL of rewards: one function per statement."""

from __future__ import annotations

from typing import Any

import asyncpg

from rest.marketing.rewards.model import Event, Reward, Rule
from storage.postgres import RetryTx
from storage.tx import Tx

_RULE = "event, line, version, active, fixed, per_100_yuan, points_max, pending_s, valid_days, changed_by, created_at"
_REWARD = "ref, account_id, event, line, rule, base_fen, kept_fen, points, version, created_at"


def _rule(row: Any) -> Rule:  # noqa: ANN401 - a row
    return Rule(**{**row, "event": Event(row["event"])})


async def rule(tx: Tx, event: Event, line: str) -> Rule | None:
    """The newest version."""
    row = await tx.fetchrow(
        f"SELECT {_RULE} FROM reward_rules WHERE event = $1 AND line = $2 ORDER BY version DESC LIMIT 1",
        event.value,
        line,
    )
    return None if row is None else _rule(row)


async def rule_version(tx: Tx, event: Event, line: str, version: int) -> Rule:
    row = await tx.fetchrow(
        f"SELECT {_RULE} FROM reward_rules WHERE event = $1 AND line = $2 AND version = $3", event.value, line, version
    )
    return _rule(row)


async def rules(tx: Tx) -> list[Rule]:
    """The newest version of each; there are as many as events and lines."""
    rows = await tx.fetch(
        f"SELECT DISTINCT ON (event, line) {_RULE} FROM reward_rules ORDER BY event, line, version DESC LIMIT 200"
    )
    return [_rule(row) for row in rows]


async def add_rule(tx: Tx, new: Rule) -> None:
    """Raises RetryTx when somebody else made the same version."""
    try:
        await tx.execute(
            f"INSERT INTO reward_rules ({_RULE}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            new.event.value,
            new.line,
            new.version,
            new.active,
            new.fixed,
            new.per_100_yuan,
            new.points_max,
            new.pending_s,
            new.valid_days,
            new.changed_by,
            new.created_at,
        )
    except asyncpg.UniqueViolationError:
        raise RetryTx from None


async def add(tx: Tx, new: Reward) -> bool:
    """Whether this event had not been rewarded."""
    written = await tx.execute(
        f"INSERT INTO rewards ({_REWARD}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
        new.ref,
        new.account_id,
        new.event.value,
        new.line,
        new.rule,
        new.base_fen,
        new.kept_fen,
        new.points,
        new.version,
        new.created_at,
    )
    return written == 1


async def lock(tx: Tx, ref: str) -> Reward | None:
    row = await tx.fetchrow(f"SELECT {_REWARD} FROM rewards WHERE ref = $1 FOR NO KEY UPDATE", ref)
    return None if row is None else Reward(**{**row, "event": Event(row["event"])})


async def save_kept(tx: Tx, before: Reward, kept_fen: int) -> None:
    """Under the version it was read with. Raises RetryTx."""
    written = await tx.execute(
        "UPDATE rewards SET kept_fen = $3, version = $2 + 1 WHERE ref = $1 AND version = $2",
        before.ref,
        before.version,
        kept_fen,
    )
    if written == 0:
        raise RetryTx
