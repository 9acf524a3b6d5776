"""What a customer gets back when: policies as data, and the one function that follows them. Pure.

A policy is a list of tiers from the earliest to the last: half-open spans of minutes or of calendar days before the
start (`at_least <= left < below`), or stages a line names. Each tier has a fee, and a fee never falls from one tier to
the next, so what goes back never grows with time (I16). A preview and an execution ask the same function, and a preview
has a name: what was shown is what is done, or it is refused.
Source: HS-116, HS-129, RV-094 to RV-096, RV-158, RV-168, RV-170, RV-183; rv part 5.19.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from storage.base import codec
from storage.base.clock import business_day
from storage.base.errors import Conflict, Invalid
from storage.base.money import BPS, FEN_MAX, share_bps

PAID = "paid"
TERMS = (PAID, "item", "travel")
"""What a fee may be a share of: what was paid, or a list amount the line gives."""

FIXED = "fixed"
"""The part of a fee that is a share of nothing."""

NO_SHOW = "no_show"
HASH_DIGITS = 32

Word = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)", examples=["after_departure"])]
Fen = Annotated[int, Meta(ge=0, le=FEN_MAX)]
Left = Annotated[int, Meta(ge=0, le=1_000_000)]


def _none() -> tuple[()]:
    """A tuple as a default would be written into the contract as Python writes it."""
    return ()


class PolicyInvalid(Invalid):
    """This is not a refund policy; `reason` says why."""

    code = "policy_invalid"


class PreviewChanged(Conflict):
    """What would go back now is not what you were shown."""

    code = "preview_changed"


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate of one amount."""

    of: Literal["paid", "item", "travel"]
    bps: Annotated[int, Meta(ge=0, le=BPS)]


class Fee(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept, fen: the shares in this order, then the fixed part; at least the floor, at most the cap.

    Never more than was paid. What does not fit is taken off the last parts first.
    """

    shares: Annotated[tuple[Share, ...], Meta(max_length=len(TERMS))] = msgspec.field(default_factory=_none)
    fixed_fen: Fen = 0
    floor_fen: Fen = 0
    cap_fen: Fen | None = None

    def exceeds(self, later: Fee) -> bool:
        """Whether this fee could be more than a later one."""
        mine, theirs = self._rates(), later._rates()
        cap, later_cap = self.cap_fen, later.cap_fen
        return (
            any(bps > theirs.get(of, 0) for of, bps in mine.items())
            or self.fixed_fen > later.fixed_fen
            or self.floor_fen > later.floor_fen
            or (later_cap is not None and (cap is None or cap > later_cap))
        )

    def _rates(self) -> dict[str, int]:
        return {share.of: share.bps for share in self.shares}

    def check(self) -> None:
        """Raises PolicyInvalid."""
        if len(self._rates()) != len(self.shares):
            raise PolicyInvalid(reason="a fee names each amount once")
        if self.cap_fen is not None and self.cap_fen < self.floor_fen:
            raise PolicyInvalid(reason="a cap is not below the floor")

    @property
    def is_free(self) -> bool:
        return not any(share.bps for share in self.shares) and self.fixed_fen == self.floor_fen == 0

    def parts(self, amounts: Mapping[str, int]) -> dict[str, int]:
        """What is kept of these amounts, by part; they sum to no more than `paid`."""
        parts: dict[str, int] = {share.of: share_bps(amounts.get(share.of, 0), share.bps) for share in self.shares}
        parts[FIXED] = self.fixed_fen
        parts[FIXED] += max(0, self.floor_fen - sum(parts.values()))
        left = amounts[PAID] if self.cap_fen is None else min(amounts[PAID], self.cap_fen)
        for name, wanted in parts.items():
            parts[name] = min(wanted, left)
            left -= parts[name]
        return {name: fen for name, fen in parts.items() if fen}


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step: while `at_least <= left < below` (None: without end), or in the stage it names."""

    fee: Fee = msgspec.field(default_factory=Fee)
    at_least: Left | None = None
    below: Left | None = None
    stage: Word | None = None


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A refund policy. `clock` says what `left` is: minutes or calendar days before the start, or a stage.

    `no_show` is the fee of whoever did not come; `waivers` are circumstances in which nothing is kept. Of requests
    under it: `provider_review` asks the provider first, `second_over_fen` needs two approvals (None: the setting).
    """

    name: Word
    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    clock: Literal["minutes", "days", "stages"]
    tiers: Annotated[tuple[Tier, ...], Meta(min_length=1, max_length=20)]
    no_show: Fee | None = None
    waivers: Annotated[tuple[Word, ...], Meta(max_length=10)] = msgspec.field(default_factory=_none)
    provider_review: bool = False
    second_over_fen: Fen | None = None

    def check(self) -> None:
        """Whether every moment has one tier and fees never fall. Raises PolicyInvalid."""
        (self._check_stages if self.clock == "stages" else self._check_spans)()
        fees = [*(tier.fee for tier in self.tiers), *([self.no_show] if self.no_show is not None else [])]
        for fee in fees:
            fee.check()
        for fee, later in pairwise(fees):
            if fee.exceeds(later):
                raise PolicyInvalid(reason="a later fee is not less than an earlier one")

    def _check_stages(self) -> None:
        stages = [tier.stage for tier in self.tiers]
        if None in stages or len(set(stages)) != len(stages):
            raise PolicyInvalid(reason="each tier names a stage of its own")
        if any(tier.at_least is not None or tier.below is not None for tier in self.tiers):
            raise PolicyInvalid(reason="a stage has no span")

    def _check_spans(self) -> None:
        bounds = [(tier.below, tier.at_least) for tier in self.tiers]
        if any(tier.stage is not None for tier in self.tiers):
            raise PolicyInvalid(reason="a span has no stage")
        if bounds[0][0] is not None or bounds[-1][1] is not None:
            raise PolicyInvalid(reason="the first tier has no upper bound and the last no lower one")
        for (_, at_least), (below, further) in pairwise(bounds):
            if at_least is None or at_least != below or (further is not None and further >= at_least):
                raise PolicyInvalid(reason="each tier begins where the one before ends, further down")


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """When and how somebody wants his money back. `start_at` for spans, `stage` for stages."""

    now: datetime
    start_at: datetime | None = None
    stage: str | None = None
    circumstances: frozenset[str] = frozenset()
    no_show: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy says on an occasion, fen. `parts` of the fee by what they are a share of."""

    policy: str
    version: int
    tier: str
    paid_fen: int
    fee_fen: int
    refund_fen: int
    parts: Mapping[str, int]

    def hash(self, subject_id: str) -> str:
        """A name for exactly this outcome of this subject."""
        rows = [
            subject_id, self.policy, self.version, self.tier, self.paid_fen, self.fee_fen, sorted(self.parts.items()),
        ]  # fmt: skip
        return sha256(codec.dumps(rows)).hexdigest()[:HASH_DIGITS]

    def as_shown(self, subject_id: str) -> dict[str, Any]:
        """For refusals: the amounts and their name."""
        return {
            "paid_fen": self.paid_fen,
            "fee_fen": self.fee_fen,
            "refund_fen": self.refund_fen,
            "tier": self.tier,
            "preview_hash": self.hash(subject_id),
        }


def preview(policy: Policy, occasion: Occasion, amounts: Mapping[str, int]) -> Outcome:
    """What is kept and what goes back, if it were done at this instant. `amounts` has at least `paid`."""
    tier, fee = _fee(policy, occasion)
    parts = fee.parts(amounts)
    kept = sum(parts.values())
    return Outcome(
        policy=policy.name,
        version=policy.version,
        tier=tier,
        paid_fen=amounts[PAID],
        fee_fen=kept,
        refund_fen=amounts[PAID] - kept,
        parts=parts,
    )


def execute(
    policy: Policy, occasion: Occasion, amounts: Mapping[str, int], *, subject_id: str, shown: str | None
) -> Outcome:
    """The same, for doing it. `shown` is the name of the preview the caller was shown, if he says so.

    Raises PreviewChanged with what it is now.
    """
    outcome = preview(policy, occasion, amounts)
    if shown is not None and shown != outcome.hash(subject_id):
        raise PreviewChanged(preview=outcome.as_shown(subject_id))
    return outcome


def _fee(policy: Policy, occasion: Occasion) -> tuple[str, Fee]:
    """The tier's name and its fee."""
    waived = sorted(occasion.circumstances & set(policy.waivers))
    if waived:
        return waived[0], Fee()
    if occasion.no_show and policy.no_show is not None:
        return NO_SHOW, policy.no_show
    for n, tier in enumerate(policy.tiers, 1):
        if _holds(policy, tier, occasion):
            return tier.stage or str(n), tier.fee
    raise LookupError(f"{policy.name} {policy.version} knows no stage {occasion.stage}")


def _holds(policy: Policy, tier: Tier, occasion: Occasion) -> bool:
    if policy.clock == "stages":
        return tier.stage == occasion.stage
    if occasion.start_at is None:
        raise LookupError(f"{policy.name} needs a start")
    if policy.clock == "days":
        days = (business_day(occasion.start_at) - business_day(occasion.now)).days
        return (tier.at_least is None or days >= tier.at_least) and (tier.below is None or days < tier.below)
    left = occasion.start_at - occasion.now
    return (tier.at_least is None or left >= timedelta(minutes=tier.at_least)) and (
        tier.below is None or left < timedelta(minutes=tier.below)
    )



