"""Memberships and purchases as values, and their lives as tables. Pure.

Source: HS-188; RV-269; RV-264 to RV-275 for what another line will ask of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from rest.marketing.membership.runs import Level, Run, add_months, begun, renewed, upgraded
from rest.money.refunds.model import RefundWindow
from storage.base import codec
from storage.base.errors import Conflict, Invalid

PREFIX = "mem_"
"""How a purchase's id begins: payments name what they are for by its id."""

PAY_WITHIN = timedelta(minutes=15)
"""The payment window of everything that is not an order of a line, as in the points mall."""

REMIND_BEFORE = timedelta(days=7)
"""How long before its end a member is reminded."""

MONTHS_AHEAD_MAX = 60
"""How far ahead a membership may be paid for: money for what is far away is a debt of ours."""

REFUND_WITHIN = timedelta(days=7)
"""RV-269: how long after it was paid a purchase may be given back."""

LOCK_EPOCH = 1
"""A purchase's price never changes: every attempt to pay it is for the same."""


class MembershipState(StrEnum):
    """Where somebody stands with a line."""

    NONE = "none"
    ACTIVE = "active"
    EXPIRED = "expired"


class MemberPurchaseState(StrEnum):
    """Where a purchase stands: `paid` waits for its coupons, `done` has them, `refunded` was given back."""

    CREATED = "created"
    PAID = "paid"
    DONE = "done"
    CLOSED = "closed"
    REFUNDED = "refunded"


_NONE, _ACTIVE, _EXPIRED = MembershipState
_CREATED, _PAID, _DONE, _CLOSED, _REFUNDED = MemberPurchaseState

TRANSITIONS: Mapping[tuple[MembershipState, str], MembershipState] = {
    (_NONE, "buy"): _ACTIVE,
    (_EXPIRED, "buy"): _ACTIVE,
    (_ACTIVE, "renew"): _ACTIVE,
    (_ACTIVE, "upgrade"): _ACTIVE,
    (_ACTIVE, "expire"): _EXPIRED,
    (_ACTIVE, "restore"): _ACTIVE,
    (_ACTIVE, "lapse"): _EXPIRED,
    (_ACTIVE, "forget"): _NONE,
}
"""(state, verb) → state of a membership. What is not listed is refused.

When the last purchase is given back there is what there was before it: a run that goes on (`restore`), one that is over
by now (`lapse`), or none (`forget`)."""

PURCHASE_TRANSITIONS: Mapping[tuple[MemberPurchaseState, str], MemberPurchaseState] = {
    (_CREATED, "pay"): _PAID,
    (_CREATED, "close"): _CLOSED,
    (_PAID, "grant"): _DONE,
    (_PAID, "refund"): _REFUNDED,
    (_DONE, "refund"): _REFUNDED,
}
"""(state, verb) → state of a purchase. What is not listed is refused."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))
PURCHASE_VERBS = tuple(dict.fromkeys(verb for _, verb in PURCHASE_TRANSITIONS))


class WrongMembershipState(Conflict):
    """This membership cannot do that now."""

    code = "membership_state"


class WrongMemberPurchaseState(Conflict):
    """This purchase is past that."""

    code = "member_purchase_state"


class AlreadyMember(Conflict):
    """You are a member of a higher level."""

    code = "already_member"


class NotAMember(Conflict):
    """There is no membership that could be renewed; buy one."""

    code = "not_a_member"


class MembershipTooLong(Conflict):
    """A membership is not paid for that far ahead."""

    code = "membership_limit"


class MemberLevelNotSold(Conflict):
    """This level is not sold now."""

    code = "member_level_not_sold"


class MemberLevelChanged(Conflict):
    """This level is not what you were shown."""

    code = "member_level_changed"


class BenefitUsed(Invalid):
    """What this purchase gave has been used."""

    code = "benefit_used"


class LaterPurchase(Conflict):
    """A later purchase stands on this one; give that back first."""

    code = "later_purchase"


class MemberRankTaken(Conflict):
    """A level keeps its line and its rank, and no other level of the line has the same rank."""

    code = "member_rank_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Somebody's membership in a line; `run` is None for who has never been a member."""

    id: str
    account_id: str
    line: str
    state: MembershipState
    run: Run | None
    version: int
    updated_at: datetime

    def after(self, verb: str, now: datetime) -> Membership:
        """The membership after this verb. Raises WrongMembershipState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongMembershipState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1, updated_at=now)

    def expired(self, now: datetime) -> Membership | None:
        """The membership after its end; None when it is not due, or over already."""
        is_over = self.state is _ACTIVE and self.run is not None and self.run.ends_at <= now
        return self.after("expire", now) if is_over else None

    def verb_for(self, level: Level) -> str:
        """What buying this level is. Raises AlreadyMember for a level below the one that runs."""
        if self.state is not _ACTIVE or self.run is None:
            return "buy"
        if level.rank < self.run.rank:
            raise AlreadyMember(level=self.run.level)
        return "renew" if level.code == self.run.level else "upgrade"

    def with_level(self, level: Level, now: datetime) -> Membership:
        """The membership with this level paid for. Raises AlreadyMember, MembershipTooLong."""
        verb = self.verb_for(level)
        if verb == "buy" or self.run is None:
            run = begun(level, now)
        else:
            run = (renewed if verb == "renew" else upgraded)(self.run, level, now)
        return replace(self.after(verb, now), run=run)

    def given_back(self, former: Run | None, now: datetime) -> tuple[str, Membership]:
        """What it was before its last purchase, and by which verb it is that again. Raises WrongMembershipState."""
        verb = "forget" if former is None else "lapse" if former.ends_at <= now else "restore"
        return verb, replace(self.after(verb, now), run=former)

    def check_length(self, now: datetime) -> None:
        """Raises MembershipTooLong when it ends too far ahead."""
        if self.run is not None and self.run.ends_at > add_months(now, MONTHS_AHEAD_MAX):
            raise MembershipTooLong(months_max=MONTHS_AHEAD_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPurchase:
    """One level bought once, at the version it had. Units: fen. `[starts_at, ends_at)` is the time it gave.

    `former` is the run of time there was before it, and `membership_version` what its membership became by it.
    """

    id: str
    account_id: str
    line: str
    level: str
    level_version: int
    kind: str
    price_fen: int
    method: str
    state: MemberPurchaseState
    reason: str | None
    carried_fen: int
    starts_at: datetime | None
    ends_at: datetime | None
    version: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    former: Run | None = None
    membership_version: int | None = None
    refunded_at: datetime | None = None

    @property
    def refundable_until(self) -> datetime | None:
        """Until just before when it may be given back; None where it cannot be."""
        is_known = self.membership_version is not None and self.ended_at is not None
        return self.ended_at + REFUND_WITHIN if is_known and self.ended_at is not None else None

    def refunded(self, now: datetime) -> MemberPurchase:
        """The purchase whose price goes back (RV-269). Raises WrongMemberPurchaseState, RefundWindow."""
        after = replace(self.after("refund"), refunded_at=now)
        until = self.refundable_until
        if until is None or now >= until:
            raise RefundWindow(until=None if until is None else codec.instant(until))
        return after

    def after(self, verb: str) -> MemberPurchase:
        """The purchase after this verb. Raises WrongMemberPurchaseState."""
        state = PURCHASE_TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongMemberPurchaseState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1)

    def paid(self, before: Membership, after: Membership, kind: str, now: datetime) -> MemberPurchase:
        """Paid, and what it has given: renewing gives time after the end, all else from now on."""
        assert after.run is not None  # noqa: S101 - whoever has paid is a member
        old = before.run if kind != "buy" else None
        return replace(
            self.after("pay"),
            kind=kind,
            carried_fen=old.left_fen(now) if kind == "upgrade" and old is not None else 0,
            starts_at=old.ends_at if kind == "renew" and old is not None else now,
            ends_at=after.run.ends_at,
            ended_at=now,
            former=before.run,
            membership_version=after.version,
        )
