"""Links by which others may watch one order: 128 random bits, kept only as a hash, dead with the order.

A link says nothing but the order's state and, while the technician is under way, where he is. The sender may take all
links of an order back; they end by themselves at `expires_at` and when the order is closed.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from rest.lines.homeservice.errors import LinkDead
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import BOUND, Job
from rest.trade import orders
from rest.trade.orders import WrongState
from storage.tx import Tx

TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class Share:
    """A link just made; the token is shown this once."""

    id: str
    token: str
    expires_at: datetime


async def share(tx: Tx, order_id: str, account_id: str) -> Share:
    """Make a link to the customer's own order, from payment until it is closed. Raises NotFound, WrongState."""
    job = await orders.lock_for_customer(tx, HOMESERVICE, order_id, account_id)
    if job.order.status not in BOUND:
        raise WrongState(status=job.order.status, verb="share")
    made = Share(
        tx.new_id("shr"), secrets.token_urlsafe(TOKEN_BYTES), tx.now + timedelta(seconds=job.rules.share_ttl_s)
    )
    await tx.execute(
        """
        INSERT INTO order_shares (id, order_id, token_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
        """,
        made.id,
        order_id,
        _hash(made.token),
        tx.now,
        made.expires_at,
    )
    return made


async def revoke_shares(tx: Tx, order_id: str, account_id: str) -> int:
    """Take back every link of the customer's own order; how many there were. Raises NotFound."""
    await orders.read_for_customer(tx, HOMESERVICE, order_id, account_id)
    return await tx.execute(
        "UPDATE order_shares SET revoked_at = $2 WHERE order_id = $1 AND revoked_at IS NULL", order_id, tx.now
    )


async def shared_order(tx: Tx, token: str) -> Job:
    """The order a link opens now. Raises LinkDead, whatever the reason."""
    row = await tx.fetchrow(
        "SELECT order_id, expires_at, revoked_at FROM order_shares WHERE token_hash = $1", _hash(token)
    )
    if row is None or row["revoked_at"] is not None or row["expires_at"] <= tx.now:
        raise LinkDead
    job = await HOMESERVICE.read(tx, row["order_id"])
    if job is None or job.order.closed_at is not None:
        raise LinkDead
    return job


def _hash(token: str) -> bytes:
    return sha256(b"share " + token.encode()).digest()
