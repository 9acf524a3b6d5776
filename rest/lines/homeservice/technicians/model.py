"""A technician as a value. What dispatch must know of him (items, radius, hours) is on his worker."""

from __future__ import annotations

from dataclasses import dataclass

from storage.base.errors import Denied, Invalid


class NotActive(Denied):
    """Only active technicians may do this."""

    code = "not_active"


class HoursInvalid(Invalid):
    """Work hours are minutes of the day, 0 to 1440, and differ."""

    code = "hours_invalid"
    status = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Technician:
    """The technician side of an account. `free_travel_m` metres of every trip cost the customer nothing."""

    worker_id: str
    account_id: str
    real_name: str
    city: str
    status: str
    free_travel_m: int
    auto_accept: bool
    orders_done: int
