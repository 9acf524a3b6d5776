"""Refunds: what goes back to a customer when (policies), and who must agree to it (requests).

Tables    refund_policies (published versions, never changed), refund_requests, refund_events (who did what, never
          changed); how money went back is in payment_refunds
States    review → requested → approving → executed; rejected, withdrawn (model.TRANSITIONS). `approving` waits for a
          second person; without a provider to ask it begins in `requested`
Calls     the line of the order through
          `OrderSide`: it reserves, gives and releases under the order's lock, in the same transaction
Tells     refund.changed, to the customer, the provider and the desk
Deadlines refunds.review_due: a provider who says nothing has no opinion
Promises  a preview is what an execution at that instant does, and carries a name by which it can be asked for; what
          goes back never grows with time; a new version of a policy changes no order sold before (I16); open requests
          are reserved, so that together they never exceed what is kept (D3); above a limit two people agree, and
          nobody decides about his own money
Source    HS-114 to HS-132, HS-150; RV-094 to RV-098, RV-158, RV-168, RV-170, RV-183, RV-288 to RV-293; FR-150 to FR-159
"""

from rest.money.refunds.actions import (
    Lines,
    OrderSide,
    approve,
    ask,
    find,
    of_customer,
    reject,
    review,
    withdraw,
)
from rest.money.refunds.ladder import (
    Fee,
    Occasion,
    Outcome,
    Policy,
    PolicyInvalid,
    PreviewChanged,
    Share,
    Tier,
    execute,
    preview,
)
from rest.money.refunds.model import (
    Asker,
    Leg,
    OwnRefund,
    Reason,
    RefundOpen,
    RefundWindow,
    Request,
    RequestState,
    SameApprover,
    Subject,
    TooManyRefunds,
    WrongRefundState,
)
from rest.money.refunds.policies import PolicyVersionTaken, current, publish, sold_under
from rest.money.refunds.ready import READY, policy_of
from rest.money.refunds.rules import RefundRules, current_rules

__all__ = [
    "READY",
    "Asker",
    "Fee",
    "Leg",
    "Lines",
    "Occasion",
    "OrderSide",
    "Outcome",
    "OwnRefund",
    "Policy",
    "PolicyInvalid",
    "PolicyVersionTaken",
    "PreviewChanged",
    "Reason",
    "RefundOpen",
    "RefundRules",
    "RefundWindow",
    "Request",
    "RequestState",
    "SameApprover",
    "Share",
    "Subject",
    "Tier",
    "TooManyRefunds",
    "WrongRefundState",
    "approve",
    "ask",
    "current",
    "current_rules",
    "execute",
    "find",
    "of_customer",
    "policy_of",
    "preview",
    "publish",
    "reject",
    "review",
    "sold_under",
    "withdraw",
]
