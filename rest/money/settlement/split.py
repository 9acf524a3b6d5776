"""Who gets what of an order's money: rules as data, and the one function that follows them. Pure.

A rule is a list of parts. A part is a rate of some amounts, some amounts whole, and a fixed sum; the last one is the
platform's and is what remains, so the parts always sum to what was kept. Each part is rounded half up (HS-220), so it
is within half a fen of exact; what rounding leaves or takes is the platform's.
Source: HS-154 to HS-160.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from storage.base.money import BPS, FEN_MAX, share_bps

PLATFORM = "platform"

TERMS = ("item", "travel", "member", "coupon", "voucher", "extension", "tip", "penalty_item", "penalty_travel")
"""What a rule may name: the amounts of a basis."""


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What an order's parts are made of, fen. `kept` is the cash: paid less refunded.

    `rate_bps` is the technician's rate as the order snapshotted it. `member` (a member's discount) and `coupon` are
    borne by the platform, `voucher` by the technician. The parts of a penalty stand alone: its order gives no item and
    no travel.
    """

    kept: int
    rate_bps: int
    item: int = 0
    travel: int = 0
    member: int = 0
    coupon: int = 0
    voucher: int = 0
    extension: int = 0
    tip: int = 0
    penalty_item: int = 0
    penalty_travel: int = 0

    def __post_init__(self) -> None:
        amounts = [self.kept, *(getattr(self, name) for name in TERMS)]
        if min(amounts) < 0 or max(amounts) > FEN_MAX or not 0 <= self.rate_bps <= BPS:
            raise ValueError("a basis has no negative or absurd amounts, and a rate between 0 and 10000")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One part of a rule. `bps` None is the order's own rate; a term with a minus sign is taken away.

    `cap_fen` bounds what this part comes to over all orders of one worker.
    """

    kind: str
    party: Literal["worker", "channel", "platform"]
    bps: int | None = 0
    of: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    fixed_fen: int = 0
    cap_fen: int | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """How orders of a line are shared out; a version never changes."""

    line: str
    version: int
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        kinds = [part.kind for part in self.parts]
        if len(set(kinds)) != len(kinds):
            raise ValueError("a rule names each kind once")
        platform = [part for part in self.parts if part.party == PLATFORM]
        if (
            not platform
            or platform != list(self.parts[-1:])
            or platform[0] != Part(kind=platform[0].kind, party="platform")
        ):
            raise ValueError("the last part is the platform's, the only one, and nothing but what remains")
        named = [term.removeprefix("-") for part in self.parts for term in (*part.of, *part.whole)]
        if not set(named) <= set(TERMS):
            raise ValueError(f"unknown terms: {sorted(set(named) - set(TERMS))}")
        if any(part.bps is not None and not 0 <= part.bps <= BPS for part in self.parts):
            raise ValueError("a rate is between 0 and 10000 basis points")
        if any(part.fixed_fen < 0 or (part.cap_fen is not None and part.cap_fen < 0) for part in self.parts):
            raise ValueError("fixed sums and caps are not negative")
        if sum(part.cap_fen is not None for part in self.parts) > 1:
            raise ValueError("one counter per worker, so one capped part")

    @property
    def pays_channels(self) -> bool:
        return any(part.party == "channel" for part in self.parts)

    @property
    def capped(self) -> Part | None:
        """The part whose sum over a worker's orders is bounded."""
        return next((part for part in self.parts if part.cap_fen is not None), None)


@dataclass(frozen=True, slots=True)
class Share:
    """What one part came to; may be negative for the platform, and for a voucher above its technician's part."""

    kind: str
    party: str
    amount_fen: int


def split(rule: Rule, basis: Basis, *, has_channel: bool, counted_fen: int = 0) -> tuple[Share, ...]:
    """Every part's amount in the rule's order, zeros too; they sum to `basis.kept`.

    Without a channel its parts are the platform's. `counted_fen`: what the capped part has come to before.
    """
    shares = [
        Share(part.kind, part.party, _amount(part, basis, counted_fen))
        for part in rule.parts[:-1]
        if has_channel or part.party != "channel"
    ]
    rest = basis.kept - sum(share.amount_fen for share in shares)
    return (*shares, Share(rule.parts[-1].kind, PLATFORM, rest))


def _amount(part: Part, basis: Basis, counted_fen: int) -> int:
    bps = basis.rate_bps if part.bps is None else part.bps
    # A rate of less than nothing is nothing: a coupon above the item takes no reward back.
    rated = share_bps(max(0, _sum(part.of, basis)), bps)
    amount = rated + _sum(part.whole, basis) + part.fixed_fen
    return amount if part.cap_fen is None else max(0, min(amount, part.cap_fen - counted_fen))


def _sum(terms: Sequence[str], basis: Basis) -> int:
    return sum(-getattr(basis, term[1:]) if term[0] == "-" else getattr(basis, term) for term in terms)


def scaled(base_fen: int, kept_fen: int, base_kept_fen: int) -> int:
    """A part of `base_fen` of `base_kept_fen` when only `kept_fen` is kept; half up.

    A function of what is kept now and of nothing in between, so many refunds end where one of their sum does (I6); and
    it never grows when less is kept, so a reversal never gives.
    """
    if base_kept_fen == 0:
        return base_fen
    return (2 * base_fen * kept_fen + base_kept_fen) // (2 * base_kept_fen)
