"""SQL of refund policies, refund requests, their events, and the legs money goes back on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rest.money.refunds.ladder import Policy
from rest.money.refunds.model import Asker, Event, Leg, Reason, Request, RequestState, Subject
from rest.money.refunds.ready import content, policy_of
from storage.base import codec
from storage.tx import Tx

OPEN_STATES = ("review", "requested", "approving")

_COLUMNS = """r.id, r.order_id, r.line, r.customer_id, r.worker_id, r.asker_role, r.asker_id, r.amount_fen,
    r.approved_fen, r.reason, r.note, r.policy, r.policy_version, r.second_over_fen, r.opinion, r.approved_by, r.state,
    r.version, r.requested_at, r.changed_at, r.executed_at"""


# Policies

LATEST = "SELECT p.content FROM refund_policies p WHERE p.name = {name} ORDER BY p.version DESC LIMIT 1"
"""For whoever sells: the newest published content of a name, as a scalar in a statement of his own."""


async def latest(tx: Tx, name: str) -> Policy | None:
    raw = await tx.fetchval(LATEST.format(name="$1"), name)
    return None if raw is None else policy_of(codec.loads(raw))


async def policy_version(tx: Tx, name: str, version: int) -> Policy | None:
    raw = await tx.fetchval("SELECT content FROM refund_policies WHERE name = $1 AND version = $2", name, version)
    return None if raw is None else policy_of(codec.loads(raw))


async def insert_policy(tx: Tx, policy: Policy, *, note: str, by_id: str) -> bool:
    """False when this version exists, or is not the next one of its name."""
    written = await tx.execute(
        """
        INSERT INTO refund_policies (name, version, content, note, by_id, created_at)
        SELECT $1, $2, $3::jsonb, $4, $5, $6
         WHERE $2 = 1 + coalesce((SELECT max(version) FROM refund_policies WHERE name = $1), 1)
        ON CONFLICT DO NOTHING
        """,
        policy.name,
        policy.version,
        codec.dumps(content(policy)).decode(),
        note,
        by_id,
        tx.now,
    )
    return written == 1


async def policy_page(tx: Tx, *, after: tuple[str, int], limit: int) -> list[Any]:
    """Published versions by name, each name's newest first, after this one."""
    return await tx.fetch(
        """
        SELECT name, version, content, note, by_id, created_at FROM refund_policies
         WHERE name > $1 OR (name = $1 AND version < $2)
         ORDER BY name, version DESC LIMIT $3
        """,
        *after,
        limit,
    )


# Requests


def _request(row: Any) -> Request:  # noqa: ANN401 - a row
    values = dict(row)
    values["subject"] = Subject(**{name: values.pop(name) for name in ("order_id", "line", "customer_id", "worker_id")})
    values["asker"] = Asker(values.pop("asker_role"), values.pop("asker_id"))
    values["reason"] = Reason(values["reason"])
    values["state"] = RequestState(values["state"])
    return Request(**values)


async def insert(tx: Tx, new: Request) -> None:
    await tx.execute(
        """
        INSERT INTO refund_requests (id, order_id, line, customer_id, worker_id, asker_role, asker_id, amount_fen,
            reason, note, policy, policy_version, second_over_fen, state, version, requested_at, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        """,
        new.id,
        new.subject.order_id,
        new.subject.line,
        new.subject.customer_id,
        new.subject.worker_id,
        new.asker.role,
        new.asker.id,
        new.amount_fen,
        new.reason.value,
        new.note,
        new.policy,
        new.policy_version,
        new.second_over_fen,
        new.state.value,
        new.version,
        new.requested_at,
        new.changed_at,
    )


async def lock(tx: Tx, refund_id: str) -> Request | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM refund_requests r WHERE r.id = $1 FOR NO KEY UPDATE", refund_id)
    return None if row is None else _request(row)


async def read(tx: Tx, refund_id: str) -> Request | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM refund_requests r WHERE r.id = $1", refund_id)
    return None if row is None else _request(row)


async def save(tx: Tx, moved: Request) -> None:
    """Needs the lock."""
    await tx.execute(
        """
        UPDATE refund_requests
           SET state = $2, approved_fen = $3, approved_by = $4, opinion = $5, version = $6, changed_at = $7,
               executed_at = $8
         WHERE id = $1
        """,
        moved.id,
        moved.state.value,
        moved.approved_fen,
        moved.approved_by,
        moved.opinion,
        moved.version,
        moved.changed_at,
        moved.executed_at,
    )


async def count_open(tx: Tx, order_id: str) -> int:
    found: int = await tx.fetchval(
        "SELECT count(*) FROM refund_requests WHERE order_id = $1 AND state = ANY($2)", order_id, list(OPEN_STATES)
    )
    return found


async def page(
    tx: Tx,
    *,
    before_id: str,
    limit: int,
    order_id: str | None = None,
    state: str | None = None,
    line: str | None = None,
    manual: bool | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Request]:
    """Newest first, older than `before_id`. `manual`: whether a leg waits for a person."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM refund_requests r
         WHERE r.id < $1 AND ($3::text IS NULL OR r.order_id = $3) AND ($4::text IS NULL OR r.state = $4)
           AND ($5::text IS NULL OR r.line = $5)
           AND ($6::bool IS NULL OR $6 = EXISTS (
                SELECT FROM payment_refunds l JOIN channel_refunds c ON c.ref = l.ref
                 WHERE l.given_as = r.id AND c.state = 'manual'))
           AND ($7::timestamptz IS NULL OR r.requested_at >= $7) AND ($8::timestamptz IS NULL OR r.requested_at < $8)
         ORDER BY r.id DESC LIMIT $2
        """,
        before_id,
        limit,
        order_id,
        state,
        line,
        manual,
        since,
        until,
    )
    return [_request(row) for row in rows]


async def insert_event(tx: Tx, event: Event) -> None:
    await tx.execute(
        """
        INSERT INTO refund_events (refund_id, n, at, actor, verb, from_state, to_state, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        event.refund_id,
        event.n,
        event.at,
        event.actor,
        event.verb,
        event.from_state,
        event.to_state,
        event.detail,
    )


async def events(tx: Tx, refund_id: str) -> list[Event]:
    """Oldest first; a request has five at most."""
    rows = await tx.fetch(
        """
        SELECT refund_id, n, at, actor, verb, from_state, to_state, detail
          FROM refund_events WHERE refund_id = $1 ORDER BY n
        """,
        refund_id,
    )
    return [Event(**dict(row)) for row in rows]


# Legs


async def legs_of(tx: Tx, given_as: Sequence[str]) -> dict[str, list[Leg]]:
    """How money went back, by what it was given as. A channel's own record is made after the commit, so it may lack."""
    rows = await tx.fetch(
        """
        SELECT r.given_as, r.payment_id, p.tender AS method, r.amount_fen, r.points, r.ref, c.problem,
               CASE WHEN p.tender IN ('wechat', 'alipay', 'offline') THEN coalesce(c.state, 'requested')
                    ELSE 'done' END AS state
          FROM payment_refunds r
          JOIN payment_parts p ON p.payment_id = r.payment_id AND p.n = r.n
          LEFT JOIN channel_refunds c ON c.ref = r.ref AND c.channel = p.tender
         WHERE r.given_as = ANY($1)
         ORDER BY r.given_as, r.payment_id, r.n
        """,
        list(given_as),
    )
    found: dict[str, list[Leg]] = {}
    for row in rows:
        values = dict(row)
        found.setdefault(values.pop("given_as"), []).append(Leg(**values))
    return found


# Statistics

_KEYS = {
    "reason": "r.reason",
    "line": "r.line",
    "day": "to_char(r.executed_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD')",
}


async def statistics(tx: Tx, by: str, since: datetime, until: datetime, *, limit: int) -> list[Any]:
    """Executed requests of [since, until): how many, how much, and the mean seconds from asking to giving."""
    key = _KEYS[by]
    return await tx.fetch(
        f"""
        SELECT {key} AS key, count(*) AS count, sum(r.approved_fen)::bigint AS amount_fen,
               round(avg(extract(epoch FROM r.executed_at - r.requested_at)))::bigint AS mean_s
          FROM refund_requests r
         WHERE r.executed_at >= $1 AND r.executed_at < $2
         GROUP BY 1 ORDER BY 1 LIMIT $3
        """,
        since,
        until,
        limit,
    )
