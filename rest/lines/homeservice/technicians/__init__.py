"""Technicians: the technician side of an account and how he takes orders.

Tables    technicians (travel and acceptance settings, orders done)
Calls     dispatch: items taken are the worker's services; radius, hours, online state are the worker's
Promises  settings hold for new offers at once; running orders are untouched
Source    HS-022, HS-027 to HS-032
"""

from rest.lines.homeservice.technicians.actions import (
    DAY_MIN,
    Me,
    OrderSettings,
    add_technician,
    change_settings,
    go_offline,
    go_online,
    me,
    my_item,
    my_items,
    set_item,
    worker_id_of,
)
from rest.lines.homeservice.technicians.model import HoursInvalid, NotActive, Technician
from rest.lines.homeservice.technicians.store import accepts_by_itself, count_done, free_travel_m

__all__ = [
    "DAY_MIN",
    "HoursInvalid",
    "Me",
    "NotActive",
    "OrderSettings",
    "Technician",
    "accepts_by_itself",
    "add_technician",
    "change_settings",
    "count_done",
    "free_travel_m",
    "go_offline",
    "go_online",
    "me",
    "my_item",
    "my_items",
    "set_item",
    "worker_id_of",
]
