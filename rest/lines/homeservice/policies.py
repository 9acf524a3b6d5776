"""What home-service orders may be paid with, by version: an order keeps the one it was posted under. Pure, data alone.

What can be used for least else is used up first: a technician's credit, then prepaid money, points, the wallet, and a
channel for the rest. Bank transfers take days and a technician is held for minutes, so they are not among them.
"""

from __future__ import annotations

from collections.abc import Mapping

from rest.money.payments import PayPolicy, Tender

PAY_POLICIES: Mapping[int, PayPolicy] = {
    1: PayPolicy(
        version=1,
        tenders=(Tender.CREDIT, Tender.PREPAID, Tender.POINTS, Tender.WALLET, Tender.WECHAT, Tender.ALIPAY),
        methods_max=5,
        points_per_yuan=100,
        points_share_bps=3_000,
    ),
}
