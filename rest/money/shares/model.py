"""Receivers, splits and returns as values, their tables of states, and who gets and gives back how much. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from rest.money.channels.sharing import SHARES_MAX, Share, ShareState, SplitNews, SplitOrder
from storage.base.errors import Conflict
from storage.base.money import allocate

LOOKS_S = (60, 300, 1_800)
"""Seconds between two questions about a split or a return; then the last of them, until the channel has said."""


class WrongShareState(Conflict):
    """This receiver, split or return is past that."""

    code = "share_state"


class ReceiverTaken(Conflict):
    """This worker has a receiver at this channel, or the account is another's."""

    code = "receiver_taken"


class ReceiverState(StrEnum):
    """Whether the channel knows a receiver."""

    ASKING = "asking"
    BOUND = "bound"
    REFUSED = "refused"
    UNBOUND = "unbound"


class SplitState(StrEnum):
    """Of a trade: waits to be split; its channel is asked; over. `failed`: nobody has anything of it."""

    PLANNED = "planned"
    ASKED = "asked"
    DONE = "done"
    FAILED = "failed"


class ReturnState(StrEnum):
    """Of what a receiver gives back."""

    ASKED = "asked"
    DONE = "done"
    FAILED = "failed"


RECEIVER_TABLE: Mapping[tuple[ReceiverState, str], ReceiverState] = {
    (ReceiverState.ASKING, "accept"): ReceiverState.BOUND,
    (ReceiverState.ASKING, "refuse"): ReceiverState.REFUSED,
    (ReceiverState.ASKING, "unbind"): ReceiverState.UNBOUND,
    (ReceiverState.BOUND, "unbind"): ReceiverState.UNBOUND,
}
SPLIT_TABLE: Mapping[tuple[SplitState, str], SplitState] = {
    (SplitState.PLANNED, "ask"): SplitState.ASKED,
    (SplitState.ASKED, "finish"): SplitState.DONE,
    (SplitState.ASKED, "give_up"): SplitState.FAILED,
}
RETURN_TABLE: Mapping[tuple[ReturnState, str], ReturnState] = {
    (ReturnState.ASKED, "finish"): ReturnState.DONE,
    (ReturnState.ASKED, "give_up"): ReturnState.FAILED,
}
"""(state, verb) → state. What is not listed is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A worker's account at a channel. The name is forgotten when the channel has answered; its hash stays."""

    id: str
    worker_id: str
    channel: str
    account: str
    name: str | None
    name_hash: str
    state: ReceiverState
    reason: str | None
    by_id: str
    version: int
    created_at: datetime
    ended_at: datetime | None

    def after(self, verb: str, now: datetime, reason: str | None = None) -> Receiver:
        """Raises WrongShareState."""
        state = RECEIVER_TABLE.get((self.state, verb))
        if state is None:
            raise WrongShareState(state=self.state.value)
        ended_at = None if state is ReceiverState.BOUND else now
        return replace(self, state=state, name=None, reason=reason, ended_at=ended_at, version=self.version + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One receiver's part of a split, fen."""

    n: int
    worker_id: str
    account: str
    amount_fen: int
    is_paid: bool | None = None
    returned_fen: int = 0

    @property
    def held_fen(self) -> int:
        """What the receiver has of it."""
        return self.amount_fen - self.returned_fen if self.is_paid else 0

    @property
    def share(self) -> Share:
        return Share(account=self.account, amount_fen=self.amount_fen, description="part of an order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A trade's money and who has parts of it; its id is the channel's `out_order_no`."""

    id: str
    payment_id: str
    settlement_id: str
    order_id: str
    channel: str
    trade_no: str
    state: SplitState
    reason: str | None
    version: int
    created_at: datetime
    ended_at: datetime | None
    parts: tuple[Part, ...] = ()

    def after(self, verb: str, now: datetime, reason: str | None = None) -> Split:
        """Raises WrongShareState."""
        state = SPLIT_TABLE.get((self.state, verb))
        if state is None:
            raise WrongShareState(state=self.state.value)
        ended_at = None if state is SplitState.ASKED else now
        return replace(self, state=state, reason=reason, ended_at=ended_at, version=self.version + 1)

    @property
    def order(self) -> SplitOrder:
        """What the channel is asked for: all parts at once, and the rest is ours."""
        shares = tuple(part.share for part in self.parts)
        return SplitOrder(out_split_no=self.id, trade_no=self.trade_no, shares=shares, ends=True)

    def heard(self, told: SplitNews) -> tuple[Part, ...] | None:
        """The parts as the channel says they ended; None while it does not say so of each, with just its amount."""
        by_account = {share.account: share for share in told.shares}
        ended = []
        for part in self.parts:
            share = by_account.get(part.account)
            if told.state is not ShareState.DONE or share is None or share.amount_fen != part.amount_fen:
                return None
            if share.state not in {ShareState.DONE, ShareState.FAILED}:
                return None
            ended.append(replace(part, is_paid=share.state is ShareState.DONE))
        return tuple(ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What a receiver gives back of its part for one refund; its id is the channel's `out_return_no`."""

    id: str
    split_id: str
    n: int
    refund_id: str
    amount_fen: int
    state: ReturnState
    reason: str | None
    version: int
    created_at: datetime
    ended_at: datetime | None

    def after(self, verb: str, now: datetime, reason: str | None = None) -> Return:
        """Raises WrongShareState."""
        state = RETURN_TABLE.get((self.state, verb))
        if state is None:
            raise WrongShareState(state=self.state.value)
        return replace(self, state=state, reason=reason, ended_at=now, version=self.version + 1)


def planned(wants: Sequence[int], left_fen: int) -> list[int]:
    """What each gets by the channel of what he wants, when so much may be shared; only the first 50 get any."""
    wants = [want if n < SHARES_MAX else 0 for n, want in enumerate(wants)]
    total = sum(wants)
    return list(wants) if total <= left_fen else allocate(left_fen, wants)


def owed(held: Sequence[int], nets: Sequence[int], left_fen: int) -> list[int]:
    """What each receiver has to give back of what he holds: what is above what is left of his lines (`nets`), and what
    is above what is left of the trade (`left_fen`) when all of them hold more than that.
    """
    kept = [min(has, max(0, net)) for has, net in zip(held, nets, strict=True)]
    if sum(kept) > left_fen:
        kept = allocate(max(0, left_fen), kept)
    return [has - keeps for has, keeps in zip(held, kept, strict=True)]
