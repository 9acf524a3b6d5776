"""Money: integer fen (1/100 yuan), never a float.

Sums that are split keep their total to the fen: `allocate` uses the largest remainder method.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NewType

Fen = NewType("Fen", int)

FEN_MAX = 10**12
"""Largest amount of one movement: ten thousand million yuan; anything above is a mistake."""

BPS = 10_000
"""Basis points in one whole."""


def yuan(fen: int) -> str:
    """How an amount is written: -1234 fen are "-12.34"."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{rest:02}"


def as_money(fen: int) -> dict[str, object]:
    """An amount among the fields of a refusal, as answers have it."""
    return {"amount": fen, "currency": "CNY"}


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` in proportion to `weights`; the parts sum to `total` exactly.

    Each part is within one fen of its exact share. Leftover fen go to the largest remainders, the earlier
    weight first among equals. Raises ValueError when there is nothing to divide by.
    """
    whole = sum(weights)
    if not weights or whole <= 0 or min(weights) < 0:
        raise ValueError("weights must be non-negative and not all zero")
    sign = -1 if total < 0 else 1
    shares = [divmod(abs(total) * weight, whole) for weight in weights]
    parts = [quotient for quotient, _ in shares]
    left = abs(total) - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda i: (-shares[i][1], i))
    for i in by_remainder[:left]:
        parts[i] += 1
    return [sign * part for part in parts]


def share_bps(amount: int, bps: int) -> int:
    """`amount` × `bps` / 10 000, rounded half up (HS-220)."""
    return (2 * amount * bps + BPS) // (2 * BPS)
