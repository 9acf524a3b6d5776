"""Withdrawals: money on its way out of a wallet, of a customer or a worker.

Tables    withdrawals, withdrawal_events (who did what, never changed), payouts (what was handed to which adapter)
States    review → sending → sent → confirmed; rejected, failed (model.TRANSITIONS); at or under the limit it begins in
          sending
Calls     wallet, ledger: the amount is in `…:frozen` while the withdrawal is open
Tells     withdrawal.changed, to its owner
Jobs      withdrawals.send (talks to a payout adapter; the manual one leaves the transfer to finance)
Promises  what is frozen is the sum of the open withdrawals; nobody decides about his own money; a verb repeated by its
          actor changes nothing; one transfer of the outside pays one withdrawal; a wallet below zero pays nothing out
Source    HS-177, HS-180 to HS-182
"""

from rest.money.withdrawals.actions import (
    any_one,
    approve,
    confirm,
    fail,
    mark_sent,
    of_owner,
    payout_arrived,
    payout_failed,
    payout_taken,
    reject,
    request,
)
from rest.money.withdrawals.model import (
    BankRefUsed,
    BelowMinimum,
    DayLimit,
    Owner,
    OwnWithdrawal,
    Payee,
    PayoutMethod,
    Withdrawal,
    WithdrawalState,
    WrongWithdrawalState,
)

__all__ = [
    "BankRefUsed",
    "BelowMinimum",
    "DayLimit",
    "OwnWithdrawal",
    "Owner",
    "Payee",
    "PayoutMethod",
    "Withdrawal",
    "WithdrawalState",
    "WrongWithdrawalState",
    "any_one",
    "approve",
    "confirm",
    "fail",
    "mark_sent",
    "of_owner",
    "payout_arrived",
    "payout_failed",
    "payout_taken",
    "reject",
    "request",
]
