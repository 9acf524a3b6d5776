"""SQL of `technicians`."""

from __future__ import annotations

from rest.lines.homeservice.technicians.model import Technician
from storage.tx import Tx

_COLUMNS = "worker_id, account_id, real_name, city, status, free_travel_m, auto_accept, orders_done"


async def insert(tx: Tx, worker_id: str, account_id: str, real_name: str, city: str) -> None:
    await tx.execute(
        """
        INSERT INTO technicians (worker_id, account_id, real_name, city, created_at) VALUES ($1, $2, $3, $4, $5)
        """,
        worker_id,
        account_id,
        real_name,
        city,
        tx.now,
    )


async def of_account(tx: Tx, account_id: str) -> Technician | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM technicians WHERE account_id = $1", account_id)
    return None if row is None else Technician(**dict(row))


async def worker_id_of(tx: Tx, account_id: str) -> str | None:
    found: str | None = await tx.fetchval("SELECT worker_id FROM technicians WHERE account_id = $1", account_id)
    return found


async def accepts_by_itself(tx: Tx, worker_id: str) -> bool:
    return bool(await tx.fetchval("SELECT auto_accept FROM technicians WHERE worker_id = $1", worker_id))


async def free_travel_m(tx: Tx, worker_id: str) -> int:
    """Metres he travels for nothing."""
    return await tx.fetchval("SELECT free_travel_m FROM technicians WHERE worker_id = $1", worker_id) or 0


async def save(tx: Tx, worker_id: str, *, free_travel_m: int, auto_accept: bool) -> None:
    await tx.execute(
        "UPDATE technicians SET free_travel_m = $2, auto_accept = $3 WHERE worker_id = $1",
        worker_id,
        free_travel_m,
        auto_accept,
    )


async def count_done(tx: Tx, worker_id: str) -> None:
    await tx.execute("UPDATE technicians SET orders_done = orders_done + 1 WHERE worker_id = $1", worker_id)
