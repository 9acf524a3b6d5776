"""Vouchers of technicians: what a technician takes off an item of his, and bears himself.

Tables    technician_vouchers, voucher_holds
States    on ⇄ off; on → used_up with its last piece, and back when one is returned (model.TRANSITIONS)
Calls     the catalogue (prices of his area), dispatch (his area)
Tells     voucher.used_up to the technician
Promises  a voucher takes nothing off travel and never more than the technician's share of the items; terms never
          change: what a quote promised holds while there is stock, also after he switched it off or made another;
          a piece is taken when he is chosen, so of two customers one gets the last, and comes back when the order
          lets him go or keeps nothing
Source    HS-045, HS-075, HS-154, HS-186, HS-187, 5.8; docs/decisions/0024-vouchers.md
"""

from rest.lines.homeservice.vouchers.actions import (
    VoucherGone,
    current,
    gone,
    hold,
    lock,
    release,
    set_voucher,
    switch,
)
from rest.lines.homeservice.vouchers.model import Terms, Voucher, VoucherOverShare, VoucherState, taken_off
from rest.lines.homeservice.vouchers.store import page

__all__ = [
    "Terms",
    "Voucher",
    "VoucherGone",
    "VoucherOverShare",
    "VoucherState",
    "current",
    "gone",
    "hold",
    "lock",
    "page",
    "release",
    "set_voucher",
    "switch",
    "taken_off",
]
