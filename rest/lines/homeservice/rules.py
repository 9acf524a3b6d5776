"""Every number of the home-service line: a typed setting with unit, range and reason.

An order keeps the rules it was posted under in its snapshot (HS-214: changes take effect for new orders),
so verbs and deadlines read them from the order and never from a global. Source: spec parts 4, 6 and 8.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any

import msgspec

PREFIX = "FIELDHUB_HOMESERVICE_"


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeserviceRules:
    """Numbers of the grab flow and the visit. `_s` seconds, `_m` metres, `_fen` fen, `_bps` basis points."""

    # Pool
    no_grab_s: int = 300  # HS-078: push again, case `no_grab`
    no_grab_lead_s: int = 480  # HS-079: the same case is raised to the lead, the customer is told
    choice_s: int = 1_800  # HS-081: from the first grab
    lock_s: int = 180  # HS-082: the payment window of a chosen technician
    unbinds_max: int = 3  # HS-099: at this many unbinds support is asked
    pool_close_s: int = 1_800  # HS-098: this long before the start without a paid technician
    post_ahead_days: int = 30  # an appointment further away is a mistake
    offer_s: int = 1_800  # an offer lives as long as a choice may take; then the order is pushed again
    radius_grow: int = 2  # HS-078: the second push doubles the radius
    qty_max: int = 10
    support_confirms_unpaid_cancel: bool = False  # spec part 10 row 4: the system confirms these itself

    # Answer, departure, arrival
    answer_s: int = 300  # HS-059: accept or reject
    depart_early_s: int = 10_800  # HS-101: not more than 3 h before the start
    depart_latest_s: int = 1_800  # the latest departure is this long before the start: one travel buffer
    depart_late_s: int = 1_800  # HS-112: this long after the latest departure support is asked
    arrive_near_m: int = 500  # HS-103
    silent_s: int = 300  # HS-208: without a position of who is under way support is warned
    position_fresh_s: int = 300  # an older last position proves no arrival

    # Service
    buffer_s: int = 1_800  # HS-044: travel time kept free before and after a visit
    code_ttl_s: int = 300  # HS-104: the start code
    leave_alone_s: int = 1_800  # HS-110: after this the technician may leave unconfirmed
    wait_s: int = 600  # HS-127: a technician whom nobody opens may leave when more than this has passed
    share_ttl_s: int = 86_400  # a share link outlives no order by much

    # Money: what a region starts with; each region sets its own
    travel_base_m: int = 3_000  # HS-046
    travel_base_fen: int = 900
    travel_per_km_fen: int = 250
    technician_rate_bps: int = 6_000  # HS-154
    technician_penalty_bps: int = 5_000  # HS-130: of the items' price, by a technician who will not go on
    split_version: int = 1  # the rule of table split_rules that new orders are shared out by
    pay_policy: int = 1  # the version of `policies.PAY_POLICIES` that new orders are paid by
    share_by_channel: bool = False  # workers with a receiver get their parts from the channel; needs a settle hold
    settle_hold_s: int = 86_400  # HS-162: after an order's end its parts wait this long; 0: they may be spent at once

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "settle_hold_s" and value == 0:
                continue
            if not isinstance(value, bool) and not 0 < value <= 10_000_000:
                raise ValueError(f"{PREFIX}{field.name.upper()} must be between 1 and 10000000")
        if self.no_grab_lead_s <= self.no_grab_s:
            raise ValueError("the second stage of no_grab comes after the first")
        if self.share_by_channel and self.settle_hold_s == 0:
            raise ValueError("parts must wait before their channel can be asked to pay them")
        if max(self.technician_rate_bps, self.technician_penalty_bps) > 10_000:
            raise ValueError("a technician gets and owes no more than the whole")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> HomeserviceRules:
        """Read `FIELDHUB_HOMESERVICE_*`. Raises ValueError naming what cannot be read."""
        found: dict[str, Any] = {}
        for field in fields(cls):
            raw = env.get(PREFIX + field.name.upper(), "")
            if raw:
                found[field.name] = raw in {"1", "true"} if isinstance(field.default, bool) else int(raw)
        return cls(**found)

    def snapshot(self) -> Mapping[str, Any]:
        """As kept on an order."""
        return _snapshot(self)


@cache
def _snapshot(rules: HomeserviceRules) -> Mapping[str, Any]:
    # Every posted order asks for it; walking the fields each time was a tenth of posting.
    return asdict(rules)


@cache
def current_rules() -> HomeserviceRules:
    """The rules new orders are posted under, read once from the environment."""
    return HomeserviceRules.from_env(os.environ)


def rules_of(snapshot: Mapping[str, Any]) -> HomeserviceRules:
    """The rules an order was posted under."""
    return msgspec.convert(snapshot, HomeserviceRules)
