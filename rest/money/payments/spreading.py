"""How much of a refund each part of a payment gives. Pure.

Refunds come in any number and any size, and must end where one refund of their sum would have ended. Rounding each one
for itself does not do that, and largest remainders do not either: a part's share of a larger sum may be smaller. So the
share of each part is a function of everything given back so far, it never falls as that grows, and a refund is the
difference of two such shares.

First what needs no channel and what came over one divide the sum: the former its exact share rounded down, the rest
goes over the channel (RV-289). Within each, fen are dealt one after the other to whoever is furthest behind
(Webster's method, by its divisors, without counting them one by one).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from storage.base.money import allocate


@dataclass(frozen=True, slots=True)
class Share:
    """What one part has brought and given back, in fen."""

    brought: int
    given: int
    by_channel: bool

    @property
    def left(self) -> int:
        return self.brought - self.given


def spread(amount: int, shares: Sequence[Share]) -> list[int]:
    """What each part gives of a refund of `amount`; never more than it has left, and `amount` in all.

    Where parts were refunded in some other way than by this function, what is left of each decides.
    Raises ValueError when `amount` is more than all have left.
    """
    left = sum(share.left for share in shares)
    if not 0 < amount <= left:
        raise ValueError(f"{amount} of {left} fen cannot be given back")
    due = _due(sum(share.given for share in shares) + amount, shares)
    steps = [total - share.given for total, share in zip(due, shares, strict=True)]
    return steps if min(steps) >= 0 else allocate(amount, [share.left for share in shares])


def _due(total: int, shares: Sequence[Share]) -> list[int]:
    """What each part has given when `total` has been given back in all."""
    brought = sum(share.brought for share in shares)
    inner = [share.brought for share in shares if not share.by_channel]
    outer = [share.brought for share in shares if share.by_channel]
    of_inner = total * sum(inner) // brought if outer else total
    inside, outside = iter(deal(of_inner, inner)), iter(deal(total - of_inner, outer))
    return [next(outside) if share.by_channel else next(inside) for share in shares]


def deal(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` by weights so that no part ever falls as `total` grows, and all of the weights give exactly
    themselves.

    Each next fen goes to the greatest weight / (2 × what it has + 1), the later one among equals. Weights are positive.
    """
    if not weights:
        return []
    whole = sum(weights)
    parts = [(2 * total * weight + whole) // (2 * whole) for weight in weights]
    places = range(len(weights))
    while (wrong := sum(parts) - total) != 0:
        if wrong > 0:
            last = min(places, key=lambda i: (Fraction(weights[i], 2 * parts[i] - 1) if parts[i] else whole + 1, i))
            parts[last] -= 1
        else:
            parts[max(places, key=lambda i: (Fraction(weights[i], 2 * parts[i] + 1), i))] += 1
    return parts
