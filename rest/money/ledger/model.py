"""Accounts, entries and transfers as values; which account has which unit and floor. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from storage.base.errors import Conflict, Invalid
from storage.base.money import FEN_MAX


class Unit(StrEnum):
    """What an account counts: fen of yuan, or points. A transfer balances in each unit by itself."""

    CNY = "CNY"
    PTS = "PTS"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as its code describes it.

    Shape: `floor_fen` None means append-only (never locked, no running balance); `may_overdraw` allows a
    transfer posted with `overdraw=True` to take it below the floor.
    """

    code: str
    kind: str
    owner_id: str
    unit: Unit
    floor_fen: int | None
    may_overdraw: bool


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    code: re.Pattern[str]
    floor_fen: int | None
    unit: Unit = Unit.CNY
    may_overdraw: bool = False


def _code(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("<name>", "([a-z0-9_]{1,64})"), re.ASCII)


_KINDS = (
    _Kind("customer_wallet", _code("customer:<name>:wallet"), 0),
    _Kind("customer_prepaid", _code("customer:<name>:prepaid"), 0),
    _Kind("customer_bonus", _code("customer:<name>:bonus"), 0),
    _Kind("customer_credit", _code("customer:<name>:credit:<name>"), 0),
    _Kind("customer_unapplied", _code("customer:<name>:unapplied"), 0),
    _Kind("customer_points", _code("customer:<name>:points"), 0, Unit.PTS),
    _Kind("customer_points_pending", _code("customer:<name>:points_pending"), 0, Unit.PTS),
    _Kind("customer_points_owed", _code("customer:<name>:points_owed"), 0, Unit.PTS, may_overdraw=True),  # RV-332
    _Kind("payment_held", _code("payment:<name>:held"), 0),
    _Kind("payment_held_points", _code("payment:<name>:held_points"), 0, Unit.PTS),
    _Kind("order_escrow", _code("order:<name>:escrow"), 0),
    _Kind("worker_wallet", _code("worker:<name>:wallet"), 0, may_overdraw=True),  # HS-182: penalties only
    _Kind("customer_pending", _code("customer:<name>:pending"), 0),
    _Kind("customer_frozen", _code("customer:<name>:frozen"), 0),
    _Kind("customer_owed", _code("customer:<name>:owed"), 0, may_overdraw=True),  # HS-161: a reward that was spent
    _Kind("worker_pending", _code("worker:<name>:pending"), 0),
    _Kind("worker_frozen", _code("worker:<name>:frozen"), 0),
    _Kind("channel_clearing", _code("channel:<name>:clearing"), None),
    _Kind("channel_refunding", _code("channel:<name>:refunding"), None),
    _Kind("channel_suspense", _code("channel:<name>:suspense"), None),
    _Kind("channel_fee", _code("channel:<name>:fee"), None),
    _Kind("platform_written_off", _code("platform:written_off:<name>"), None),
    _Kind("platform_revenue", _code("platform:revenue:<name>"), None),
    _Kind("platform_promo", _code("platform:promo:<name>"), None),
    _Kind("platform_topup", _code("platform:topup()"), None),
    _Kind("platform_points", _code("platform:points()"), None, Unit.PTS),
)


@lru_cache(maxsize=4096)
def account_of(code: str) -> Account:
    """The account a code names. Raises BadTransfer for a code of no known kind."""
    for kind in _KINDS:
        match = kind.code.fullmatch(code)
        if match:
            return Account(code, kind.name, match[1], kind.unit, kind.floor_fen, kind.may_overdraw)
    raise BadTransfer(f"no kind of account has the code {code!r}")


def customer_wallet(account_id: str) -> str:
    """What a customer may spend."""
    return f"customer:{account_id}:wallet"


def customer_prepaid(account_id: str) -> str:
    """What a customer has paid in beforehand (recharge funds): spent like his wallet, never withdrawn (FR-066)."""
    return f"customer:{account_id}:prepaid"


def customer_bonus(account_id: str) -> str:
    """What he was given for paying in: spent after what he paid in himself (FR-066)."""
    return f"customer:{account_id}:bonus"


def customer_credit(account_id: str, worker_id: str) -> str:
    """What a customer paid in for orders of this worker alone (HS-176)."""
    return f"customer:{account_id}:credit:{worker_id}"


def held(payment_id: str) -> str:
    """What a payment has taken from a customer's accounts while its channel's part is awaited; 0 once it has ended."""
    return f"payment:{payment_id}:held"


def held_points(payment_id: str) -> str:
    """The points a payment holds; 0 once it has ended."""
    return f"payment:{payment_id}:held_points"


def unapplied(account_id: str) -> str:
    """Money of a customer that came too late for its order and waits for a decision."""
    return f"customer:{account_id}:unapplied"


def customer_points(account_id: str) -> str:
    """A customer's points; their unit is not money."""
    return f"customer:{account_id}:points"


def points_pending(account_id: str) -> str:
    """Points earned that may be taken back until the after-sale window closes; not to be spent yet."""
    return f"customer:{account_id}:points_pending"


def points_owed(account_id: str) -> str:
    """Below zero: points taken back after the customer had spent them; paid from what he gets next (RV-332)."""
    return f"customer:{account_id}:points_owed"


def escrow(order_id: str) -> str:
    """What is paid for an order and not yet shared out; 0 when the order is closed."""
    return f"order:{order_id}:escrow"


def worker_wallet(worker_id: str) -> str:
    """A worker's income, which penalties may take below zero."""
    return f"worker:{worker_id}:wallet"


def owner_wallet(owner_kind: str, owner_id: str) -> str:
    """The wallet of a customer or a worker; the kinds of owner are the first words of account codes."""
    return f"{owner_kind}:{owner_id}:wallet"


def pending(owner_kind: str, owner_id: str) -> str:
    """What a customer or a worker has earned and may not spend yet (HS-162)."""
    return f"{owner_kind}:{owner_id}:pending"


def frozen(owner_kind: str, owner_id: str) -> str:
    """What a customer or a worker is being paid out: taken from the wallet, not gone yet (HS-177)."""
    return f"{owner_kind}:{owner_id}:frozen"


def customer_owed(account_id: str) -> str:
    """Below zero: rewards taken back after the customer had spent them, since his wallet has a floor (HS-182)."""
    return f"customer:{account_id}:owed"


def clearing(channel: str) -> str:
    """What a payment channel owes the platform, as a negative balance: the book counts what is owed to others."""
    return f"channel:{channel}:clearing"


def refunding(channel: str) -> str:
    """Money on its way back to customers: taken from their orders, not yet given by the channel."""
    return f"channel:{channel}:refunding"


def suspense(channel: str) -> str:
    """Money a channel took for us that belongs to no attempt of ours, or is not what was asked for."""
    return f"channel:{channel}:suspense"


def channel_fee(channel: str) -> str:
    """What a channel keeps for its work, below zero: an expense, known from its bills."""
    return f"channel:{channel}:fee"


def written_off(channel: str) -> str:
    """Money in suspense of which finance has said that it will find no other place."""
    return f"platform:written_off:{channel}"


def revenue(line: str) -> str:
    """The platform's part of a business line's orders."""
    return f"platform:revenue:{line}"


def promo(purpose: str) -> str:
    """What the platform gives away: bonuses of top-ups, points spent as money, and the like."""
    return f"platform:promo:{purpose}"


def platform_topup() -> str:
    """Where money given by finance comes from."""
    return "platform:topup"


def platform_points() -> str:
    """Where points come from and go to."""
    return "platform:points"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a transfer; `balance_after_fen` is known for accounts with a floor."""

    code: str
    amount_fen: int
    balance_after_fen: int | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """A posted movement. `repeated` says the reference had been posted before and nothing moved now."""

    id: str
    ref: str
    kind: str
    order_id: str | None
    at: datetime
    entries: tuple[Entry, ...]
    repeated: bool

    def balance_after(self, code: str) -> int:
        """The balance of an account with a floor right after this transfer. Raises KeyError for others."""
        for entry in self.entries:
            if entry.code == code and entry.balance_after_fen is not None:
                return entry.balance_after_fen
        raise KeyError(code)


@dataclass(frozen=True, slots=True)
class Statement:
    """One line of an account's own list: what moved it and what it held after."""

    transfer_id: str
    kind: str
    order_id: str | None
    note: str | None
    at: datetime
    amount_fen: int
    balance_after_fen: int
    version: int


class BadTransfer(ValueError):
    """Our own mistake: a transfer that does not balance, names a strange account or moves nothing."""


class InsufficientFunds(Invalid):
    """There is not enough money for this."""

    code = "insufficient_balance"

    def __init__(self, account: Account, balance_fen: int) -> None:
        self.account = account
        self.balance_fen = balance_fen
        super().__init__(available={"amount": balance_fen, "currency": account.unit.value})


class RefReused(Conflict):
    """This reference has been used for a different movement."""

    code = "ref_reused"


def merge(entries: Sequence[tuple[str, int]]) -> list[tuple[Account, int]]:
    """One amount per account, in order of first mention.

    Raises BadTransfer unless the result has two accounts or more, no zero, nothing above FEN_MAX and sums to
    zero in each unit.
    """
    amounts: dict[str, int] = {}
    for code, amount in entries:
        if amount == 0:
            raise BadTransfer(f"{code}: an entry of zero says nothing")
        amounts[code] = amounts.get(code, 0) + amount
    merged = [(account_of(code), amount) for code, amount in amounts.items()]
    if len(merged) < 2:
        raise BadTransfer("a transfer moves value between two accounts or more")
    sums: dict[Unit, int] = {}
    for account, amount in merged:
        if amount == 0 or abs(amount) > FEN_MAX:
            raise BadTransfer(f"{account.code}: {amount} is not an amount one transfer can move")
        sums[account.unit] = sums.get(account.unit, 0) + amount
    if any(sums.values()):
        raise BadTransfer(f"entries sum to {sums}, not to zero")
    return merged
