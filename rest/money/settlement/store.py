"""SQL of settlements: rules, settlements, their lines, and the channels of workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from rest.money.settlement.model import Line, LineState, Party, Settlement
from rest.money.settlement.split import Basis, Part, Rule
from storage.base import codec
from storage.base.ids import AFTER_ALL_IDS
from storage.tx import Tx

_SETTLEMENT = """s.id, s.order_id, s.line, s.split_version, s.worker_id, s.basis, s.settled_fen, s.kept_fen,
    s.base_kept_fen, s.version, s.created_at, s.matures_at"""
_LINE = """id, settlement_id, n, kind, party_kind, party_id, cause, amount_fen, net_fen, base_fen, state,
    split_version, reverses_id, reason, by_id, at"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Who brought a worker; `bonus_fen` is what the capped part of his orders has come to."""

    worker_id: str
    party: Party
    is_open: bool
    bonus_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRule:
    """A version of a line's rule, and who published it."""

    rule: Rule
    note: str
    by_id: str | None
    at: datetime


# Rules


async def rule(tx: Tx, line: str, version: int) -> Rule | None:
    raw = await tx.fetchval("SELECT parts FROM split_rules WHERE line = $1 AND version = $2", line, version)
    if raw is None:
        return None
    return Rule(line=line, version=version, parts=_parts(raw))


async def insert_rule(tx: Tx, rule: Rule, *, note: str, by_id: str) -> bool:
    """False when this version exists."""
    written = await tx.execute(
        """
        INSERT INTO split_rules (line, version, parts, note, by_id, created_at) VALUES ($1, $2, $3::jsonb, $4, $5, $6)
        ON CONFLICT DO NOTHING
        """,
        rule.line,
        rule.version,
        codec.dumps(msgspec.to_builtins(rule.parts)).decode(),
        note,
        by_id,
        tx.now,
    )
    return written == 1


# Channels


async def lock_channel(tx: Tx, worker_id: str) -> Channel | None:
    row = await tx.fetchrow(
        """
        SELECT worker_id, party_kind, party_id, is_open, bonus_fen FROM worker_channels
         WHERE worker_id = $1 FOR NO KEY UPDATE
        """,
        worker_id,
    )
    return None if row is None else _channel(row)


async def channels(tx: Tx, worker_ids: Sequence[str]) -> dict[str, Channel]:
    """By worker; those nobody brought are missing."""
    rows = await tx.fetch(
        "SELECT worker_id, party_kind, party_id, is_open, bonus_fen FROM worker_channels WHERE worker_id = ANY($1)",
        list(worker_ids),
    )
    return {row["worker_id"]: _channel(row) for row in rows}


async def insert_channel(tx: Tx, worker_id: str, party: Party) -> bool:
    """False when the worker has one."""
    written = await tx.execute(
        """
        INSERT INTO worker_channels (worker_id, party_kind, party_id, since) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        """,
        worker_id,
        party.kind,
        party.id,
        tx.now,
    )
    return written == 1


async def close_channels(tx: Tx, party: Party) -> int:
    return await tx.execute(
        "UPDATE worker_channels SET is_open = false WHERE party_kind = $1 AND party_id = $2 AND is_open",
        party.kind,
        party.id,
    )


async def count_bonus(tx: Tx, worker_id: str, change_fen: int) -> None:
    """Needs the channel's lock."""
    await tx.execute(
        "UPDATE worker_channels SET bonus_fen = bonus_fen + $2 WHERE worker_id = $1", worker_id, change_fen
    )


def _channel(row: Any) -> Channel:  # noqa: ANN401 - a row
    return Channel(
        worker_id=row["worker_id"],
        party=Party(row["party_kind"], row["party_id"]),
        is_open=row["is_open"],
        bonus_fen=row["bonus_fen"],
    )


# Settlements


async def insert(tx: Tx, new: Settlement) -> bool:
    """False when the order has one; whoever is writing one is waited for."""
    written = await tx.execute(
        """
        INSERT INTO settlements (id, order_id, line, split_version, worker_id, basis, settled_fen, kept_fen,
                                 base_kept_fen, version, created_at, matures_at)
        VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (order_id) DO NOTHING
        """,
        new.id,
        new.order_id,
        new.line,
        new.split_version,
        new.worker_id,
        codec.dumps(msgspec.to_builtins(new.basis)).decode(),
        new.settled_fen,
        new.kept_fen,
        new.base_kept_fen,
        new.version,
        new.created_at,
        new.matures_at,
    )
    return written == 1


async def save(tx: Tx, moved: Settlement) -> None:
    """Needs the lock."""
    await tx.execute(
        "UPDATE settlements SET kept_fen = $2, base_kept_fen = $3, version = $4 WHERE id = $1",
        moved.id,
        moved.kept_fen,
        moved.base_kept_fen,
        moved.version,
    )


async def insert_lines(tx: Tx, settlement_id: str, lines: Sequence[Line]) -> None:
    await tx.execute(
        f"""
        INSERT INTO settlement_lines ({_LINE})
        SELECT new.id, $1, new.n, new.kind, new.party_kind, new.party_id, new.cause, new.amount_fen, new.net_fen,
               new.base_fen, new.state, new.split_version, new.reverses_id, new.reason, new.by_id, new.at
          FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
                      $9::bigint[], $10::bigint[], $11::text[], $12::int[], $13::text[], $14::text[], $15::text[],
                      $16::timestamptz[])
               AS new (id, n, kind, party_kind, party_id, cause, amount_fen, net_fen, base_fen, state, split_version,
                       reverses_id, reason, by_id, at)
        """,
        settlement_id,
        [line.id for line in lines],
        [line.n for line in lines],
        [line.kind for line in lines],
        [line.party.kind for line in lines],
        [line.party.id for line in lines],
        [line.cause for line in lines],
        [line.amount_fen for line in lines],
        [line.net_fen for line in lines],
        [line.base_fen for line in lines],
        [line.state.value for line in lines],
        [line.split_version for line in lines],
        [line.reverses_id for line in lines],
        [line.reason for line in lines],
        [line.by_id for line in lines],
        [line.at for line in lines],
    )


async def save_lines(tx: Tx, lines: Sequence[Line]) -> None:
    """What may change of lines; needs the settlement's lock."""
    await tx.execute(
        """
        UPDATE settlement_lines AS line SET net_fen = new.net_fen, base_fen = new.base_fen, state = new.state
          FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[]) AS new (id, net_fen, base_fen, state)
         WHERE line.id = new.id
        """,
        [line.id for line in lines],
        [line.net_fen for line in lines],
        [line.base_fen for line in lines],
        [line.state.value for line in lines],
    )


async def lock(tx: Tx, settlement_id: str) -> Settlement | None:
    row = await tx.fetchrow(f"SELECT {_SETTLEMENT} FROM settlements s WHERE s.id = $1 FOR NO KEY UPDATE", settlement_id)
    return None if row is None else (await _with_lines(tx, [row]))[0]


async def id_of_order(tx: Tx, order_id: str) -> str | None:
    found: str | None = await tx.fetchval("SELECT id FROM settlements WHERE order_id = $1", order_id)
    return found


async def of_order(tx: Tx, order_id: str) -> Settlement | None:
    row = await tx.fetchrow(f"SELECT {_SETTLEMENT} FROM settlements s WHERE s.order_id = $1", order_id)
    return None if row is None else (await _with_lines(tx, [row]))[0]


async def page(
    tx: Tx,
    *,
    before_id: str,
    limit: int,
    party: Party | None = None,
    worker_id: str | None = None,
    is_reversed: bool | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Settlement]:
    """Newest first, older than `before_id`; whole or reversed ones, made in [since, until).

    Of orders in which this party has a line, or which this worker did.
    """
    rows = await tx.fetch(
        f"""
        SELECT {_SETTLEMENT}
          FROM settlements s
         WHERE s.id < $1
           AND ($3::text IS NULL OR EXISTS (
                   SELECT FROM settlement_lines l
                    WHERE l.settlement_id = s.id AND l.party_kind = $3 AND l.party_id = $4))
           AND ($5::bool IS NULL OR (s.kept_fen < s.settled_fen) = $5)
           AND ($6::timestamptz IS NULL OR s.created_at >= $6)
           AND ($7::timestamptz IS NULL OR s.created_at < $7)
           AND ($8::text IS NULL OR s.worker_id = $8)
         ORDER BY s.id DESC
         LIMIT $2
        """,
        before_id,
        limit,
        None if party is None else party.kind,
        None if party is None else party.id,
        is_reversed,
        since,
        until,
        worker_id,
    )
    return await _with_lines(tx, rows)


_REWARDS = """
          FROM settlement_lines l JOIN settlements s ON s.id = l.settlement_id
         WHERE (l.party_kind, l.party_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
           AND (l.party_kind, l.party_id) <> ('worker', s.worker_id)"""
"""Lines these parties have of orders that others worked on."""


async def rewards(
    tx: Tx, parties: Sequence[Party], *, before: tuple[str, int] | None, limit: int
) -> list[tuple[Settlement, Line]]:
    """What these parties have of others' orders, the newest order first; `before` is a settlement's id and a line."""
    settlement_id, n = before or (AFTER_ALL_IDS, 0)
    rows = await tx.fetch(
        f"""
        SELECT l.settlement_id, l.n {_REWARDS}
           AND (l.settlement_id, l.n) < ($3, $4)
         ORDER BY l.settlement_id DESC, l.n DESC
         LIMIT $5
        """,
        [party.kind for party in parties],
        [party.id for party in parties],
        settlement_id,
        n,
        limit,
    )
    wanted = list(dict.fromkeys(row["settlement_id"] for row in rows))
    found = {one.id: one for one in await _read(tx, wanted)}
    return [(found[row["settlement_id"]], found[row["settlement_id"]].lines[row["n"] - 1]) for row in rows]


async def reward_totals(tx: Tx, parties: Sequence[Party]) -> dict[tuple[str, LineState], int]:
    """What is left of the rewards of these parties, by kind and state, in fen."""
    rows = await tx.fetch(
        f"""
        SELECT l.kind, l.state, sum(l.net_fen)::bigint AS net_fen {_REWARDS} AND l.reverses_id IS NULL
         GROUP BY l.kind, l.state
        """,
        [party.kind for party in parties],
        [party.id for party in parties],
    )
    return {(row["kind"], LineState(row["state"])): row["net_fen"] for row in rows}


async def _read(tx: Tx, settlement_ids: Sequence[str]) -> list[Settlement]:
    rows = await tx.fetch(f"SELECT {_SETTLEMENT} FROM settlements s WHERE s.id = ANY($1)", list(settlement_ids))
    return await _with_lines(tx, rows)


async def rules(tx: Tx, *, line: str | None, before: tuple[str, int] | None, limit: int) -> list[PublishedRule]:
    """By line, the newest version first."""
    rows = await tx.fetch(
        """
        SELECT line, version, parts, note, by_id, created_at FROM split_rules
         WHERE ($1::text IS NULL OR line = $1) AND ($2::text IS NULL OR line > $2 OR (line = $2 AND version < $3))
         ORDER BY line, version DESC LIMIT $4
        """,
        line,
        *(before or (None, None)),
        limit,
    )
    return [
        PublishedRule(
            rule=Rule(line=row["line"], version=row["version"], parts=_parts(row["parts"])),
            note=row["note"],
            by_id=row["by_id"],
            at=row["created_at"],
        )
        for row in rows
    ]


def _parts(raw: str) -> tuple[Part, ...]:
    return msgspec.convert(codec.loads(raw), tuple[Part, ...])


async def _with_lines(tx: Tx, rows: Sequence[Any]) -> list[Settlement]:
    found = await tx.fetch(
        f"SELECT {_LINE} FROM settlement_lines WHERE settlement_id = ANY($1) ORDER BY settlement_id, n",
        [row["id"] for row in rows],
    )
    lines: dict[str, list[Line]] = {row["id"]: [] for row in rows}
    for one in found:
        lines[one["settlement_id"]].append(_line(one))
    return [_settlement(row, lines[row["id"]]) for row in rows]


def _settlement(row: Any, lines: Iterable[Line]) -> Settlement:  # noqa: ANN401 - a row
    values = dict(row)
    values["basis"] = msgspec.convert(codec.loads(values["basis"]), Basis)
    return Settlement(**values, lines=tuple(lines))


def _line(row: Any) -> Line:  # noqa: ANN401 - a row
    values = dict(row)
    del values["settlement_id"]
    values["party"] = Party(values.pop("party_kind"), values.pop("party_id"))
    values["state"] = LineState(values["state"])
    return Line(**values)
