"""What a customer thought of it: whom it counts for, and the link it is given with. Pure.

Whom a rating counts for is written down when it is asked, by who answered until then: a later reassignment, or an agent
who has left, changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

WHOLE = 10_000
"""Shares are basis points."""

TAGS_MAX = 8
COMMENT_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One question per closure. `shares`: agent → basis points; `owner_id`: who had it last."""

    id: str
    conversation_id: str
    closure_no: int
    queue_id: str
    customer_id: str
    owner_id: str | None
    shares: Mapping[str, int]
    asked_at: datetime
    score: int | None = None
    tags: tuple[str, ...] = ()
    comment: str | None = None
    rated_at: datetime | None = None
    edited_until: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Whether it can be given, or still changed."""
        return self.edited_until is None or now < self.edited_until


def shares_of(replies: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Basis points by replies, exactly WHOLE together: the largest remainders get what is left, earlier ones first."""
    total = sum(count for _, count in replies)
    if total == 0:
        return {}
    shares = {agent_id: WHOLE * count // total for agent_id, count in replies}
    order = sorted(range(len(replies)), key=lambda n: (-(WHOLE * replies[n][1] % total), n))
    for n in order[: WHOLE - sum(shares.values())]:
        shares[replies[n][0]] += 1
    return shares


def token_of(secret: str, rating_id: str) -> str:
    """What the link to a rating carries: nobody who cannot sign can make one, and it opens this rating only."""
    signed = hmac.new(secret.encode(), b"desk.rating:" + rating_id.encode(), hashlib.sha256).digest()
    return f"{rating_id}.{base64.urlsafe_b64encode(signed[:20]).decode().rstrip('=')}"


def rating_of_token(secret: str, token: str) -> str | None:
    """The id of the rating a link opens; None when it was not signed by us."""
    rating_id = token.partition(".")[0]
    return rating_id if hmac.compare_digest(token.encode(), token_of(secret, rating_id).encode()) else None
