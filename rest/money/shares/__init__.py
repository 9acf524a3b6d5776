"""Shares: matured parts of orders paid out by the payment channel (分账) to workers who have a receiver there.

Tables    share_receivers, share_splits, share_parts, share_returns; channel_attempts.is_shared
States    receiver: asking → bound | refused, unbound; split: planned → asked → done | failed;
          return: asked → done | failed (model: three tables)
Calls     settlement (mature, pay), wallet and ledger (clearing), channels (refunds); the channels, from jobs only
Deadlines settlement.mature, in the place of the settlement's own: lines of workers with a receiver rest in `payable`
Jobs      shares.bind, shares.split (decide, ask, book), shares.unfreeze, shares.return
Promises  a trade is split once, by a number that never changes, and not before it is a minute old; shares are within
          what is ours and what the channel allows; what is above that, or refused, is in the wallet; a refund waits for
          the split, and for what receivers have to give back; what they do not is a claim on their wallet
Source    HS-162, docs/decisions/0025
"""

from rest.money.shares.actions.returns import Returning
from rest.money.shares.model import ReceiverTaken, WrongShareState

RETURNING = Returning()

__all__ = ["RETURNING", "ReceiverTaken", "Returning", "WrongShareState"]
