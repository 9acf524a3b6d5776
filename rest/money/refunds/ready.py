"""The policies every installation begins with: version 1 of each name. Published versions come after them. Pure.

A name keeps its clock and its stages in every version, because the line that uses it asks by them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rest.money.refunds.ladder import Fee, Policy, PolicyInvalid, Share, Tier

DAY = 1_440
"""Minutes."""

BEFORE_DEPARTURE, AFTER_DEPARTURE = "before_departure", "after_departure"
NOT_FORMED, PLUS_MEMBER = "not_formed", "plus_member"


def _part_of_paid(bps: int) -> Fee:
    return Fee(shares=(Share(of="paid", bps=bps),)) if bps else Fee()


def _days(*steps: tuple[int | None, int]) -> Sequence[Tier]:
    """Tiers from the earliest on: (days left at least, basis points kept)."""
    below: int | None = None
    tiers = []
    for at_least, kept_bps in steps:
        tiers.append(Tier(at_least=at_least, below=below, fee=_part_of_paid(kept_bps)))
        below = at_least
    return tuple(tiers)


_WHOLE = _part_of_paid(10_000)
_PENALTY = Fee(shares=(Share(of="travel", bps=10_000), Share(of="item", bps=5_000)))
"""HS-116, HS-129: travel first, then half of the list price of the items, never more than was paid."""

READY: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy(
            name="homeservice",
            version=1,
            clock="stages",
            tiers=(Tier(stage=BEFORE_DEPARTURE), Tier(stage=AFTER_DEPARTURE, fee=_PENALTY)),
            no_show=_PENALTY,
        ),
        # RV-168, RV-170
        Policy(
            name="campsite",
            version=1,
            clock="days",
            tiers=tuple(_days((3, 0), (1, 5_000), (None, 10_000))),
            no_show=_WHOLE,
        ),
        # RV-158
        Policy(
            name="special_offer",
            version=1,
            clock="days",
            tiers=tuple(_days((7, 0), (3, 3_000), (1, 7_000), (None, 10_000))),
            no_show=_WHOLE,
        ),
        # RV-183, RV part 5.19: before the group is formed everything goes back
        Policy(
            name="tour",
            version=1,
            clock="days",
            tiers=tuple(_days((7, 0), (3, 3_000), (1, 7_000), (None, 10_000))),
            no_show=_WHOLE,
            waivers=(NOT_FORMED,),
        ),
        # RV-094 to RV-096: also when the pickup was missed
        Policy(
            name="rental",
            version=1,
            clock="minutes",
            tiers=(Tier(at_least=DAY), Tier(below=DAY, fee=_part_of_paid(1_000))),
            no_show=_part_of_paid(1_000),
            waivers=(PLUS_MEMBER,),
        ),
    )
}
"""By name."""


def content(policy: Policy) -> dict[str, Any]:
    """As kept on an order and in the table."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(policy))
    return plain


def policy_of(stored: Mapping[str, Any]) -> Policy:
    """The policy an order was sold under."""
    return msgspec.convert(stored, Policy)


def check_successor(policy: Policy) -> None:
    """Whether this can be another version of its name. Raises PolicyInvalid."""
    known = READY.get(policy.name)
    if known is None:
        raise PolicyInvalid(reason="no line has a policy of this name")
    policy.check()
    if policy.clock != known.clock:
        raise PolicyInvalid(reason=f"this policy counts {known.clock}")
    if policy.clock == "stages" and [tier.stage for tier in policy.tiers] != [tier.stage for tier in known.tiers]:
        raise PolicyInvalid(reason="the stages of a line are given")
    if policy.clock == "stages" and not policy.tiers[0].fee.is_free:
        raise PolicyInvalid(reason="before its first stage ends an order is cancelled for nothing")
    if (known.no_show is None) != (policy.no_show is None):
        raise PolicyInvalid(reason="say what is kept of somebody who did not come")
