"""What a comparison keeps and how it judges: a bill line, our record and the book, put side by side. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from rest.money.channels.bills import LineKind, LineState
from storage.base.clock import business_day, day_begins
from storage.base.errors import Conflict, Invalid

BEGIN_AT = time(10, 30)
"""Of the next day, in Shanghai: WeChat's bill is there after 10:00, Alipay's after 9:00."""
ASK_AGAIN = timedelta(minutes=15)
"""Between two questions after a bill that is not ready, or a channel that does not answer."""
ASK_SELDOM = timedelta(hours=1)
OVERDUE_AFTER = timedelta(hours=24)
"""A bill that is still away this long after its comparison began is finance's business; it is asked for as before."""
IDLE_AFTER = timedelta(hours=4)
"""After this long without a bill, a day on which nothing was booked has none: channels make none of idle days."""
CLAIMED_FOR = timedelta(minutes=15)
"""Longer than a download and its comparison take; only after a crash does anybody wait for it."""
MIDNIGHT = timedelta(minutes=10)
"""What we booked this close to the end of a day the channel's clock may have put into the next one."""
CATCH_UP_DAYS_MAX = 31
"""Days begun at once after a long stop; bills are kept by channels for three months."""
DAY = timedelta(days=1)


# Runs


class RunKind(StrEnum):
    """Of a day, or of a month."""

    DAILY = "daily"
    MONTHLY = "monthly"


class RunState(StrEnum):
    """`overdue`: the bill has not come in a day. `closed`: all that differed is resolved."""

    WAITING = "waiting"
    OVERDUE = "overdue"
    BALANCED = "balanced"
    DIFFERING = "differing"
    CLOSED = "closed"


_W, _O, _B, _D, _C = RunState
RUN_TABLE: Mapping[tuple[RunState, str], RunState] = {
    (_W, "delay"): _W,
    (_W, "give_notice"): _O,
    (_O, "delay"): _O,
    **{(state, verb): after for state in (_W, _O)
       for verb, after in (("balance", _B), ("differ", _D), ("close", _C))},
    (_D, "close"): _C,
    **{(state, "start_again"): _W for state in (_O, _B, _D, _C)},
}  # fmt: skip
"""(state, verb) → state. What is not listed is refused. Differences that all resolve at once close a run at once."""
RUN_VERBS = tuple(dict.fromkeys(verb for _, verb in RUN_TABLE))
UNFINISHED = frozenset({_W, _O})


class WrongReconciliationState(Conflict):
    """This reconciliation, or this difference, is past that."""

    code = "reconciliation_state"


class DayMissing(Conflict):
    """A day of this month has not been reconciled."""

    code = "day_missing"


class NotOver(Invalid):
    """This day or month is not over."""

    code = "period_not_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """A period in fen: what the bill says, what the book says, what the differences explain of one less the other."""

    line_count: int = 0
    bill_paid_fen: int = 0
    bill_refunded_fen: int = 0
    fee_fen: int = 0
    book_paid_fen: int = 0
    book_refunded_fen: int = 0
    gap_fen: int = 0

    @property
    def unexplained_fen(self) -> int:
        """0, or the comparison has lost something: it is checked by sums that know nothing of single lines."""
        bill = self.bill_paid_fen - self.bill_refunded_fen
        return bill - (self.book_paid_fen - self.book_refunded_fen) - self.gap_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One comparison. `fee_booked_fen` is what of its fees is in the book."""

    id: str
    kind: RunKind
    channel: str
    period_on: date
    state: RunState
    sums: Sums
    difference_count: int
    open_count: int
    fee_booked_fen: int
    problem: str | None
    claimed_until: datetime | None
    version: int
    created_at: datetime
    ended_at: datetime | None

    def after(self, verb: str) -> Run:
        """Raises WrongReconciliationState."""
        state = RUN_TABLE.get((self.state, verb))
        if state is None:
            raise WrongReconciliationState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1)

    @property
    def span(self) -> tuple[datetime, datetime]:
        """From the first instant of its period to the first one after it."""
        return day_begins(self.period_on), day_begins(after_period(self.kind, self.period_on))


def after_period(kind: RunKind, period_on: date) -> date:
    """The first day after it."""
    if kind is RunKind.DAILY:
        return period_on + DAY
    return (period_on.replace(day=1) + 31 * DAY).replace(day=1)


# Differences


class DifferenceKind(StrEnum):
    """What can be amiss (freight FR-167 and the five it has no word for)."""

    MISSING = "missing"  # the channel has it, and nobody here ever heard of it
    EXTRA = "extra"  # the book has it, and no bill
    AMOUNT = "amount"
    FEE = "fee"
    STATUS = "status"
    DATE = "date"
    DUPLICATE = "duplicate"
    WRONG_MERCHANT = "wrong_merchant"


class DifferenceState(StrEnum):
    """`waiting`: for the next day's bill."""

    WAITING = "waiting"
    OPEN = "open"
    RESOLVED = "resolved"


TABLE: Mapping[tuple[DifferenceState, str], DifferenceState] = {
    (DifferenceState.WAITING, "expire"): DifferenceState.OPEN,
    (DifferenceState.WAITING, "settle"): DifferenceState.RESOLVED,
    (DifferenceState.OPEN, "settle"): DifferenceState.RESOLVED,
    (DifferenceState.OPEN, "note"): DifferenceState.OPEN,
    (DifferenceState.WAITING, "resolve"): DifferenceState.RESOLVED,
    (DifferenceState.OPEN, "resolve"): DifferenceState.RESOLVED,
}
"""(state, verb) → state. `settle` is the program's, `resolve` a person's with a reason; `note` is what a question to
the channel brought that settles nothing."""
VERBS = tuple(dict.fromkeys(verb for _, verb in TABLE))


class Resolution(StrEnum):
    """How it ended."""

    TAKEN = "taken"
    ASKED = "asked"
    SUSPENDED = "suspended"
    BOOKED = "booked"
    OTHER_DAY = "other_day"
    BY_PERSON = "by_person"


@dataclass(frozen=True, slots=True)
class Handling:
    """What is done about a class: at once (`settles`), or by asking the channel (`asks`), or by a person alone."""

    settles: Resolution | None = None
    asks: Resolution | None = None


HANDLING: Mapping[DifferenceKind, Handling] = {
    DifferenceKind.MISSING: Handling(asks=Resolution.TAKEN),
    DifferenceKind.EXTRA: Handling(asks=Resolution.ASKED),
    DifferenceKind.AMOUNT: Handling(settles=Resolution.SUSPENDED),
    DifferenceKind.FEE: Handling(settles=Resolution.BOOKED),
    DifferenceKind.STATUS: Handling(asks=Resolution.ASKED),
    DifferenceKind.DATE: Handling(settles=Resolution.OTHER_DAY),
    DifferenceKind.DUPLICATE: Handling(),
    DifferenceKind.WRONG_MERCHANT: Handling(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is amiss. Shape: see the table in the migration."""

    id: str
    reconciliation_id: str
    channel: str
    kind: DifferenceKind
    state: DifferenceState
    line_kind: LineKind
    key: str
    line_n: int
    out_trade_no: str
    trade_no: str
    bill_fen: int | None
    book_fen: int | None
    fee_fen: int | None
    expected_fee_fen: int | None
    effect_fen: int
    gap_fen: int
    billed_at: datetime | None
    booked_at: datetime | None
    record_state: str | None
    resolution: Resolution | None
    reason: str | None
    by_id: str | None
    version: int
    found_at: datetime
    resolved_at: datetime | None

    def after(self, verb: str) -> Difference:
        """Raises WrongReconciliationState."""
        state = TABLE.get((self.state, verb))
        if state is None:
            raise WrongReconciliationState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1)

    def settled(self, now: datetime, how: Resolution) -> Difference:
        """Raises WrongReconciliationState."""
        return replace(self.after("settle"), resolution=how, resolved_at=now)


# Judging


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Up to three views of one payment or refund; amounts are positive, None where one of them does not know it.

    `bill_fen` and what follows is the line's, `record_state` and `record_trade_no` are our attempt's or refund's,
    `book_fen` is what the clearing account was moved by. `billed_on`: for what has no line in this bill, the day of the
    bill it has one in. `is_repeat`: an earlier line says the same.
    """

    line_kind: LineKind
    key: str
    out_trade_no: str = ""
    trade_no: str = ""
    line_n: int = 0
    bill_fen: int | None = None
    fee_fen: int = 0
    billed_at: datetime | None = None
    bill_state: LineState | None = None
    is_ours: bool = True
    is_repeat: bool = False
    record_state: str | None = None
    record_trade_no: str | None = None
    book_fen: int | None = None
    booked_at: datetime | None = None
    billed_on: date | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A class, the state it begins in, and what it is worth (see `Difference`)."""

    kind: DifferenceKind
    state: DifferenceState
    effect_fen: int
    gap_fen: int


def judge(pair: Pair, day: date, fee_bps: int) -> list[Finding]:
    """What is amiss with a pair in the bill of this day; nothing, one thing, or the fee beside it."""
    found = [_judge(pair, day)] if pair.bill_state is not None else [_only_booked(pair, day)]
    if pair.bill_state is LineState.DONE and pair.is_ours and not pair.is_repeat and not is_right_fee(pair, fee_bps):
        found.append(Finding(DifferenceKind.FEE, DifferenceState.OPEN, 0, 0))
    return [finding for finding in found if finding is not None]


def _judge(pair: Pair, day: date) -> Finding | None:
    """A pair that has a line."""
    billed = _signed(pair, pair.bill_fen) if pair.bill_state is LineState.DONE and pair.is_ours else 0
    booked = 0 if pair.is_repeat else _signed(pair, pair.book_fen)
    is_booked_today = pair.booked_at is not None and business_day(pair.booked_at) == day
    effect, gap = billed - (booked if is_booked_today else 0), billed - booked
    kind = _kind(pair, day)
    if kind is None:
        return None
    is_near = pair.booked_at is not None and abs(business_day(pair.booked_at) - day) <= DAY
    state = DifferenceState.OPEN if kind is not DifferenceKind.DATE or not is_near else DifferenceState.RESOLVED
    return Finding(kind, state, effect, gap)


def _kind(pair: Pair, day: date) -> DifferenceKind | None:  # noqa: PLR0911 - a table of cases, in their order
    is_booked = pair.book_fen is not None
    if not pair.is_ours:
        return DifferenceKind.WRONG_MERCHANT
    if pair.is_repeat:
        return DifferenceKind.DUPLICATE
    if pair.bill_state is LineState.DONE and not is_booked:
        is_known = pair.record_state is not None and pair.record_trade_no in {None, pair.key}
        return DifferenceKind.STATUS if is_known else DifferenceKind.MISSING
    if pair.bill_state is not LineState.DONE:
        # Under way when the bill was made, and done on a later day, is how refunds are.
        is_later = pair.booked_at is not None and business_day(pair.booked_at) > day
        if pair.bill_state is LineState.PROCESSING:
            return DifferenceKind.STATUS if is_booked and not is_later else None
        return DifferenceKind.STATUS if is_booked or pair.record_state in {"requested", "accepted", "paid"} else None
    if pair.bill_fen != pair.book_fen:
        return DifferenceKind.AMOUNT
    return DifferenceKind.DATE if pair.booked_at is not None and business_day(pair.booked_at) != day else None


def _only_booked(pair: Pair, day: date) -> Finding:
    """The book has it on this day, and this day's bill has not."""
    booked = _signed(pair, pair.book_fen)
    if pair.billed_on is not None:
        return Finding(DifferenceKind.DATE, DifferenceState.RESOLVED, -booked, 0)
    if pair.booked_at is not None and pair.booked_at >= day_begins(day + DAY) - MIDNIGHT:
        return Finding(DifferenceKind.DATE, DifferenceState.WAITING, -booked, -booked)
    return Finding(DifferenceKind.EXTRA, DifferenceState.OPEN, -booked, -booked)


def _signed(pair: Pair, fen: int | None) -> int:
    return (fen or 0) * (1 if pair.line_kind is LineKind.PAYMENT else -1)


def fee_of(amount_fen: int, fee_bps: int) -> int:
    """What a channel keeps by contract; half a fen counts as one."""
    return (amount_fen * fee_bps + 5_000) // 10_000


def expected_fee(pair: Pair, fee_bps: int) -> int:
    fee = fee_of(pair.bill_fen or 0, fee_bps)
    return fee if pair.line_kind is LineKind.PAYMENT else -fee


def is_right_fee(pair: Pair, fee_bps: int) -> bool:
    """To the fen for payments. What comes back with a refund is rounded by rules of the channel: a fen is free."""
    return abs(pair.fee_fen - expected_fee(pair, fee_bps)) <= (0 if pair.line_kind is LineKind.PAYMENT else 1)
