"""Referrals: who brought whom, and what it brings him.

Tables    referral_codes, referrals; what a worker's referrer earns is settlement's (worker_channels)
Calls     settlement (binds the channel of a worker, reads its rewards), people, dispatch (who is a worker)
Tells     referral.joined, to whoever brought somebody
Promises  the first one who is named stays (HS-166); nobody brings himself, not by a circle either (HS-167); names
          leave masked; rewards of a customer's referral are none (HS-172: no rate is set for them)
Source    HS-165 to HS-169, HS-172, HS-173
"""

from rest.marketing.referrals.actions import bind_customer, bind_worker, close, code_of
from rest.marketing.referrals.model import CodeUnknown

__all__ = ["CodeUnknown", "bind_customer", "bind_worker", "close", "code_of"]
