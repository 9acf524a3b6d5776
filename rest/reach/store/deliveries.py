"""SQL of deliveries and devices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from rest.reach.model import DEVICES_MAX, Channel, Delivery, Device, State
from storage.tx import Tx

COLUMNS = """id, notice_id, account_id, channel, device_id, state, attempts, stands_for, ticket, provider_ref, problem,
             created_at, due_at, ends_at, changed_at, is_bulk"""


def _delivery(row: Any) -> Delivery:  # noqa: ANN401 - a row
    return Delivery(**{**dict(row.items()), "channel": Channel(row["channel"]), "state": State(row["state"])})


async def add(tx: Tx, deliveries: Sequence[Delivery]) -> None:
    """A repeated one changes nothing."""
    await tx.executemany(
        f"""
        INSERT INTO deliveries ({COLUMNS})
        VALUES ($1, $2, $3, $4, $5, $6, 0, 1, NULL, NULL, $7, $8, $9, $10, $8, $11)
        ON CONFLICT (notice_id, channel, device_id) DO NOTHING
        """,
        [
            (
                one.id, one.notice_id, one.account_id, one.channel.value, one.device_id, one.state.value, one.problem,
                one.created_at, one.due_at, one.ends_at, one.is_bulk,
            )
            for one in deliveries
        ],
    )  # fmt: skip


async def lock(tx: Tx, delivery_id: str, *, account_id: str | None = None) -> Delivery | None:
    row = await tx.fetchrow(
        f"""
        SELECT {COLUMNS} FROM deliveries WHERE id = $1 AND ($2::text IS NULL OR account_id = $2) FOR NO KEY UPDATE
        """,
        delivery_id,
        account_id,
    )
    return None if row is None else _delivery(row)


async def lock_held(tx: Tx, account_id: str) -> list[Delivery]:
    """What waits for the end of this person's quiet hours, oldest notice first."""
    rows = await tx.fetch(
        f"""
        SELECT {COLUMNS} FROM deliveries WHERE account_id = $1 AND state = 'held'
         ORDER BY created_at, notice_id, channel, device_id FOR NO KEY UPDATE
        """,
        account_id,
    )
    return [_delivery(row) for row in rows]


async def save(tx: Tx, one: Delivery) -> None:
    """The row is locked by the caller."""
    await tx.execute(
        """
        UPDATE deliveries SET state = $2, attempts = $3, stands_for = $4, ticket = $5, provider_ref = $6, problem = $7,
                              due_at = $8, changed_at = $9
         WHERE id = $1
        """,
        one.id,
        one.state.value,
        one.attempts,
        one.stands_for,
        one.ticket,
        one.provider_ref,
        one.problem,
        one.due_at,
        one.changed_at,
    )


async def page(
    tx: Tx, *, account_id: str | None, state: str | None, channel: str | None, before_id: str, limit: int
) -> list[Delivery]:
    """Newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {COLUMNS} FROM deliveries
         WHERE id < $1 AND ($2::text IS NULL OR account_id = $2) AND ($3::text IS NULL OR state = $3)
           AND ($4::text IS NULL OR channel = $4)
         ORDER BY id DESC LIMIT $5
        """,
        before_id,
        account_id,
        state,
        channel,
        limit,
    )
    return [_delivery(row) for row in rows]


# Devices

DEVICE = "id, account_id, session_id, platform, token, created_at, seen_at"


def _device(row: Any) -> Device:  # noqa: ANN401 - a row
    return Device(**dict(row.items()))


async def bind(tx: Tx, device: Device) -> Device:
    """Known by its token, a device keeps its id and goes to this account and session."""
    row = await tx.fetchrow(
        f"""
        INSERT INTO push_devices AS d ({DEVICE}) VALUES ($1, $2, $3, $4, $5, $6, $6)
        ON CONFLICT (token) DO UPDATE
           SET id = CASE WHEN d.account_id = $2 THEN d.id ELSE $1 END,
               created_at = CASE WHEN d.account_id = $2 THEN d.created_at ELSE $6 END,
               account_id = $2, session_id = $3, platform = $4, seen_at = $6
        RETURNING {DEVICE}
        """,
        device.id,
        device.account_id,
        device.session_id,
        device.platform,
        device.token,
        tx.now,
    )
    return _device(row)


async def drop_surplus(tx: Tx, account_id: str) -> None:
    """Keep the devices seen last."""
    await tx.execute(
        """
        DELETE FROM push_devices WHERE id IN
               (SELECT id FROM push_devices WHERE account_id = $1 ORDER BY seen_at DESC, id DESC OFFSET $2)
        """,
        account_id,
        DEVICES_MAX,
    )


async def page_devices(tx: Tx, account_id: str, *, before_id: str, limit: int) -> list[Device]:
    rows = await tx.fetch(
        f"SELECT {DEVICE} FROM push_devices WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        account_id,
        before_id,
        limit,
    )
    return [_device(row) for row in rows]


async def live_devices(tx: Tx, account_ids: Collection[str]) -> list[Device]:
    """Devices whose session is signed in still."""
    rows = await tx.fetch(
        """
        SELECT d.id, d.account_id, d.session_id, d.platform, d.token, d.created_at, d.seen_at
          FROM push_devices d JOIN sessions s ON s.id = d.session_id
         WHERE d.account_id = ANY($1) AND s.revoked_at IS NULL AND s.expires_at > $2
         ORDER BY d.id
        """,
        list(account_ids),
        tx.now,
    )
    return [_device(row) for row in rows]


async def drop_device(tx: Tx, device_id: str, *, account_id: str | None = None) -> bool:
    gone = await tx.execute(
        "DELETE FROM push_devices WHERE id = $1 AND ($2::text IS NULL OR account_id = $2)", device_id, account_id
    )
    return gone == 1


async def drop_devices_of(tx: Tx, session_ids: Sequence[str]) -> int:
    return await tx.execute("DELETE FROM push_devices WHERE session_id = ANY($1)", list(session_ids))


async def prune_devices(tx: Tx, before: datetime, *, limit: int) -> int:
    """Forget devices nobody has signed in on since."""
    return await tx.execute(
        "DELETE FROM push_devices WHERE id IN (SELECT id FROM push_devices WHERE seen_at < $1 LIMIT $2)", before, limit
    )
