"""Rewards: what people get points for.

Tables    reward_rules (versions, never changed), rewards (what was given by which version)
Calls     points (earn, claw_back), coupons (give)
Hears     topup.paid: the points and the coupon promised with a top-up
Deadlines rewards.coupon: gives the coupon of a top-up; one that cannot be given waits for a person
Promises  nothing is given where no rule says so: the default is off; one event is rewarded once (FR-093); after any
          number of partial refunds a reward is what the same version would have given for what is kept, to the point
Source    FR-092 to FR-094; RV-324 to RV-332

Lines call `reward` and `keep` in the transaction of the event, before they move money (lock order).
"""

from rest.marketing.rewards.actions import keep, reward, rules_in_force, set_rule
from rest.marketing.rewards.model import Event, Rule
from rest.marketing.rewards.subscribers import DEADLINES, SUBSCRIBERS

__all__ = ["DEADLINES", "SUBSCRIBERS", "Event", "Rule", "keep", "reward", "rules_in_force", "set_rule"]
