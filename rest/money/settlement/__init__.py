"""Settlement: how an ended order's money is shared out, and taken back when it is refunded.

Tables    split_rules (versions, never changed), settlements, settlement_lines, worker_channels (who brought a worker)
States    line: accrued → payable → paid, clawed_back from each (model.TRANSITIONS)
Calls     wallet and ledger: `worker:…:pending` until a line matures, then the wallet
Tells     settlement.done and settlement.changed, to each party its own part
Deadlines settlement.mature: `hold_s` after the order's end the parts may be spent (HS-162)
Promises  one settlement per order, its lines sum to the cash kept; each kind once per order (HS-174); N refunds end
          where one of their sum does, to the fen, the bonus counter included (I6); an adjustment has a name and a
          reason and reverses a line once (HS-164); lines are never changed, only reversed
Source    HS-153 to HS-164, HS-174; spec part 8
"""

from rest.money.settlement.actions import (
    Ended,
    bind_channel,
    close_channels,
    lock,
    mature,
    of_order,
    pay,
    publish,
    settle,
)
from rest.money.settlement.model import (
    AlreadyReversed,
    ChannelBound,
    Line,
    LineState,
    NotAdjustable,
    Party,
    SelfReferral,
    Settlement,
    SplitVersionTaken,
)
from rest.money.settlement.reversals import adjust, reverse
from rest.money.settlement.split import Basis, Part, Rule

__all__ = [
    "AlreadyReversed",
    "Basis",
    "ChannelBound",
    "Ended",
    "Line",
    "LineState",
    "NotAdjustable",
    "Part",
    "Party",
    "Rule",
    "SelfReferral",
    "Settlement",
    "SplitVersionTaken",
    "adjust",
    "bind_channel",
    "close_channels",
    "lock",
    "mature",
    "of_order",
    "pay",
    "publish",
    "reverse",
    "settle",
]
