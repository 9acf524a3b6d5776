"""A settlement and its lines as values, the table of a line's states, and what a refund does to them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from rest.money import ledger
from rest.money.settlement.split import PLATFORM, Basis, scaled
from storage.base.errors import Conflict, Invalid


class LineState(StrEnum):
    """Where a line's money is: accrued and payable in the party's pending account, paid in its wallet."""

    ACCRUED = "accrued"
    PAYABLE = "payable"
    PAID = "paid"
    CLAWED_BACK = "clawed_back"


_ACCRUED, _PAYABLE, _PAID, _BACK = LineState

TRANSITIONS: Mapping[tuple[LineState, str], LineState] = {
    (_ACCRUED, "mature"): _PAYABLE,
    (_PAYABLE, "pay"): _PAID,
    # A refund takes a part of a line, or all that is left of it.
    (_ACCRUED, "reduce"): _ACCRUED,
    (_PAYABLE, "reduce"): _PAYABLE,
    (_PAID, "reduce"): _PAID,
    (_ACCRUED, "claw_back"): _BACK,
    (_PAYABLE, "claw_back"): _BACK,
    (_PAID, "claw_back"): _BACK,
}
"""(state, verb) → state. What is not listed is refused. A line that waits for a channel rests in `payable`; wallets
are paid as soon as it is mature."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))


class WrongLineState(Conflict):
    """This line of the settlement is past that."""

    code = "line_state"


class AlreadyReversed(Conflict):
    """This line has been reversed already."""

    code = "already_reversed"


class NotAdjustable(Invalid):
    """The platform's line is what remains of the others; adjust one of those."""

    code = "not_adjustable"


class SplitVersionTaken(Conflict):
    """This version of the rule exists, and versions never change."""

    code = "split_version_taken"


class RuleInvalid(Invalid):
    """This is no rule by which money could be shared out."""

    code = "split_rule_invalid"


class ChannelBound(Conflict):
    """Somebody else brought this technician."""

    code = "already_bound"


class SelfReferral(Invalid):
    """Nobody brings himself."""

    code = "self_referral"


@dataclass(frozen=True, slots=True)
class Party:
    """Who has a line: a worker, a customer (as a channel), or the platform with a business line for its id."""

    kind: str
    id: str

    @property
    def audience(self) -> str | None:
        """Who is told; the platform is nobody's phone."""
        return None if self.kind == PLATFORM else f"{self.kind}:{self.id}"

    def place(self, state: LineState) -> str:
        """The ledger account that holds the money of a line in this state."""
        if self.kind == PLATFORM:
            return ledger.revenue(self.id)
        if state in {_ACCRUED, _PAYABLE}:
            return ledger.pending(self.kind, self.id)
        return ledger.owner_wallet(self.kind, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line, fen. `amount_fen` stands for ever; `net_fen` is what reversals left of it, `base_fen` what they scale.

    A line with `reverses_id` takes back from that line and has no net of its own.
    """

    id: str
    n: int
    kind: str
    party: Party
    cause: str
    amount_fen: int
    net_fen: int
    base_fen: int
    state: LineState
    split_version: int
    reverses_id: str | None
    reason: str | None
    by_id: str | None
    at: datetime

    def after(self, verb: str) -> Line:
        """Raises WrongLineState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongLineState(state=self.state.value)
        return replace(self, state=state)

    def left_with(self, net_fen: int) -> Line:
        """The line when only this much of it is left. The platform's goes up and down with what rounding leaves.

        Raises WrongLineState.
        """
        if self.party.kind == PLATFORM:
            return replace(self.after("reduce"), net_fen=net_fen)
        return replace(self.after("claw_back" if net_fen == 0 else "reduce"), net_fen=net_fen)

    @property
    def is_live(self) -> bool:
        """Whether it still gives somebody something."""
        return self.reverses_id is None and self.state is not _BACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """An order's money as it was shared out. `version` counts its changes."""

    id: str
    order_id: str
    line: str
    split_version: int
    worker_id: str
    basis: Basis
    settled_fen: int
    kept_fen: int
    base_kept_fen: int
    version: int
    created_at: datetime
    matures_at: datetime
    lines: tuple[Line, ...]

    @property
    def state(self) -> str:
        """`done`, and after refunds `reversed_in_part` or `reversed`."""
        if self.kept_fen == self.settled_fen:
            return "done"
        return "reversed_in_part" if self.kept_fen else "reversed"

    @property
    def live(self) -> list[Line]:
        return [line for line in self.lines if line.is_live]

    def net_of(self, party: Party) -> int:
        """What this party has of the order now."""
        return sum(line.net_fen for line in self.lines if line.party == party and line.is_live)

    @property
    def parties(self) -> list[Party]:
        """Everybody with a line, in the order of the lines."""
        return list(dict.fromkeys(line.party for line in self.lines))


def nets_when_kept(settlement: Settlement, kept_fen: int) -> dict[str, int]:
    """Line id → its net when the order keeps this much; they sum to it, remainders with the platform (HS-161)."""
    live = settlement.live
    nets = {
        line.id: scaled(line.base_fen, kept_fen, settlement.base_kept_fen)
        for line in live
        if line.party.kind != PLATFORM
    }
    platform = next((line.id for line in live if line.party.kind == PLATFORM), None)
    rest = kept_fen - sum(nets.values())
    if platform is not None:
        nets[platform] = rest
    elif rest:
        nets[""] = rest  # the platform had nothing so far; what rounding gives it now needs a line
    return nets


def total(lines: Sequence[Line]) -> int:
    """What the lines sum to, reversals included."""
    return sum(line.amount_fen for line in lines)
