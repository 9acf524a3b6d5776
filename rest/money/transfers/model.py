"""A bank transfer under review as a value, and its transition table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from storage.base.errors import Conflict, Denied, Invalid

REMIND_AFTER = timedelta(hours=24)
"""RV-285."""


class TransferState(StrEnum):
    """Where a transfer stands with finance."""

    REVIEW = "review"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


TRANSITIONS: Mapping[tuple[TransferState, str], TransferState] = {
    (TransferState.REVIEW, "confirm"): TransferState.CONFIRMED,
    (TransferState.REVIEW, "reject"): TransferState.REJECTED,
}
"""(state, verb) → state. What is not listed is refused."""


class WrongTransferState(Conflict):
    """This transfer has been decided already."""

    code = "transfer_state"


class AmountMismatch(Invalid):
    """What arrived is not what was to be paid."""

    code = "amount_mismatch"


class TransferRefUsed(Conflict):
    """This number of the bank belongs to another transfer."""

    code = "transfer_ref_used"


class OwnTransfer(Denied):
    """Somebody else must decide on your own transfer."""

    code = "own_transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A payment by bank transfer whose voucher was sent. Units: fen."""

    payment_id: str
    order_id: str
    account_id: str
    amount_fen: int
    file_id: str
    state: TransferState
    bank_ref: str | None
    reason: str | None
    decided_by: str | None
    version: int
    sent_at: datetime
    decided_at: datetime | None

    def decided(
        self, verb: str, *, by: str, at: datetime, bank_ref: str | None = None, reason: str | None = None
    ) -> Transfer:
        """Raises OwnTransfer, WrongTransferState."""
        if by == self.account_id:
            raise OwnTransfer
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongTransferState(state=self.state.value)
        return replace(
            self, state=state, decided_by=by, decided_at=at, bank_ref=bank_ref, reason=reason, version=self.version + 1
        )
