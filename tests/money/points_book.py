"""Points once more, in pure Python: every single point is a thing of its own. And what is true of them in SQL."""

# ruff: noqa: E501 - SQL reads better unbroken

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from rest.marketing import coupons, points_mall
from storage.postgres import Database

CHECKS = {
    "I19 a purse is the sum of its lots": """
        SELECT p.account_id FROM points_purses p LEFT JOIN points_lots l ON l.account_id = p.account_id
         GROUP BY p.account_id
        HAVING p.available <> coalesce(sum(l."left") FILTER (WHERE NOT l.is_pending), 0)
            OR p.pending <> coalesce(sum(l."left") FILTER (WHERE l.is_pending), 0)
            OR (p.earned, p.held, p.used, p.expired, p.clawed - p.owed) IS DISTINCT FROM
               (sum(l.earned), sum(l.held), sum(l.used), sum(l.expired), sum(l.clawed + l.repaid))""",
    "I19 what was earned and neither used, expired nor taken back is the balance": """
        SELECT account_id FROM points_purses
         WHERE earned - used - expired - clawed <> available + pending + held - owed OR (owed > 0 AND available > 0)""",
    "I19 lots and book say the same": """
        SELECT p.account_id FROM points_purses p CROSS JOIN
               LATERAL (VALUES ('points', p.available), ('points_pending', p.pending), ('points_owed', -p.owed)) AS said (name, points)
          LEFT JOIN ledger_accounts a ON a.code = 'customer:' || p.account_id || ':' || said.name
         WHERE coalesce(a.balance_fen, 0) <> said.points
        UNION ALL SELECT a.code FROM ledger_accounts a LEFT JOIN points_purses p ON p.account_id = a.owner_id
         WHERE a.kind LIKE 'customer\\_points%' AND p.account_id IS NULL AND a.balance_fen <> 0
        UNION ALL SELECT a.code FROM ledger_accounts a
         WHERE a.kind = 'payment_held_points'
           AND a.balance_fen <> coalesce((SELECT sum(u.held) FROM points_uses u WHERE u.holder_id = a.owner_id), 0)""",
    "I19 lots hold and have spent what their holders say": """
        SELECT l.id FROM points_lots l LEFT JOIN points_uses u ON u.lot_id = l.id
         GROUP BY l.id HAVING (l.held, l.used) IS DISTINCT FROM (coalesce(sum(u.held), 0)::bigint, coalesce(sum(u.used), 0)::bigint)""",
    "I19 a lot that waits for its time has its deadlines": """
        SELECT id FROM points_lots l
         WHERE (l.is_pending AND NOT EXISTS (SELECT FROM jobs WHERE key = l.id || ':mature'))
            OR (l.expires_at IS NOT NULL AND l."left" > 0 AND NOT EXISTS (SELECT FROM jobs WHERE key = l.id || ':expire'))""",
}

MALL_CHECKS = {
    "I9 what is held and sold is what purchases say": """
        SELECT p.id FROM points_products p LEFT JOIN points_purchases b ON b.product_id = p.id
         GROUP BY p.id HAVING p.held <> count(*) FILTER (WHERE b.state = 'created')
                           OR p.sold <> count(*) FILTER (WHERE b.state IN ('done', 'delivered'))""",
    "RV-307 points are held, spent or free as the purchase stands": """
        SELECT b.id FROM points_purchases b LEFT JOIN points_uses u ON u.holder_id = b.id
         GROUP BY b.id HAVING (coalesce(sum(u.held), 0), coalesce(sum(u.used), 0)) IS DISTINCT FROM
               CASE b.state WHEN 'created' THEN (b.points::numeric, 0::numeric)
                            WHEN 'closed' THEN (0::numeric, 0::numeric) WHEN 'refunded' THEN (0::numeric, 0::numeric) ELSE (0::numeric, b.points::numeric) END""",
    "RV-307 the cash of a purchase that is done is earned, and nothing is left in its escrow": """
        SELECT a.code FROM ledger_accounts a WHERE a.code LIKE 'order:pmo%' AND a.balance_fen <> 0
        UNION ALL SELECT b.id FROM points_purchases b LEFT JOIN ledger_transfers t ON t.ref = b.id || ':settled'
         WHERE (b.cash_fen > 0 AND b.state IN ('done', 'delivered', 'refunded')) <> (t.id IS NOT NULL)""",
    "RV-308 the price of what was given back is back, whole and once, and nothing else is": """
        SELECT b.id FROM points_purchases b
         CROSS JOIN LATERAL (SELECT coalesce(-sum(e.amount_fen), 0) AS fen FROM ledger_transfers t
                               JOIN ledger_entries e ON e.transfer_id = t.id JOIN ledger_accounts a ON a.id = e.account_id
                              WHERE t.ref = b.id || ':taken_back' AND a.code = 'platform:revenue:points_mall') taken
         CROSS JOIN LATERAL (SELECT coalesce(sum(r.amount_fen), 0) AS fen FROM payment_refunds r WHERE r.given_as = b.id || ':refund') given
         WHERE (taken.fen, given.fen) IS DISTINCT FROM
               CASE b.state WHEN 'refunded' THEN (b.cash_fen::numeric, b.cash_fen::numeric) ELSE (0::numeric, 0::numeric) END""",
    "RV-308, RV-269 a coupon is revoked when what it was bought with was given back, and only then": """
        SELECT c.id FROM coupons c LEFT JOIN points_purchases b ON b.coupon_id = c.id
          JOIN coupon_templates t ON t.id = c.template_id
         WHERE (c.state = 'revoked') <> (b.state IS NOT DISTINCT FROM 'refunded') AND (c.state <> 'revoked' OR NOT EXISTS (
               SELECT FROM member_purchases p LEFT JOIN member_coupons mc ON mc.purchase_id = p.id AND mc.coupon_id = c.id
                WHERE p.state = 'refunded' AND p.account_id = c.account_id
                  AND (mc.coupon_id IS NOT NULL OR c.source = 'claim' AND t.member_line = p.line AND c.issued_at >= p.ended_at)))""",
}
"""What is true of the points mall: its stock (I9), the points and the cash of what was bought, and what was given back."""


async def sell_coupon(db: Database, account_id: str) -> str:
    """A coupon bought for 100 points and 3 yuan from the wallet; the purchase's id. Given by a job."""
    template = await db.run(
        coupons.create_template, name={"en": "Coupon"}, terms=coupons.Terms(amount_fen=500, valid_days=9), quota=9,
        per_account_max=9, claimable=False, by_id="acc_opal",
    )  # fmt: skip
    product = await db.run(
        points_mall.create_product, name={"en": "Coupon"}, coupon_template=template.id, points=100, cash_fen=300, stock=5,
        per_account_max=3, by_id="acc_opal",
    )  # fmt: skip
    return (await db.run(points_mall.redeem, account_id, product.id, confirmed=True, method="wallet")).id


@dataclass
class Point:
    """One point: of a lot, and where it is. `key` decides among lots that end together."""

    lot: str
    key: str
    expires_at: datetime | None
    where: str
    holder: str = ""


@dataclass
class Points:
    """Everything one customer has ever earned, point by point."""

    all: list[Point] = field(default_factory=list)
    undone: dict[str, int] = field(default_factory=dict)
    owed: int = 0

    def at(self, where: str, **wanted: str) -> list[Point]:
        """Points there, those that end first in front."""
        found = [p for p in self.all if p.where == where and all(getattr(p, k) == v for k, v in wanted.items())]
        never = datetime.max.replace(tzinfo=None)
        return sorted(found, key=lambda p: (p.expires_at.replace(tzinfo=None) if p.expires_at else never, p.key))

    def earn(self, lot: str, points: int, *, key: str, pending: bool, expires_at: datetime | None) -> None:
        if any(point.lot == lot for point in self.all):
            return
        self.undone[lot] = 0
        where = "pending" if pending else "available"
        self.all += [Point(lot, key, expires_at, where) for _ in range(points)]
        self.pay_debts()

    def mature(self, lot: str) -> None:
        for point in self.at("pending", lot=lot):
            point.where = "available"
        self.pay_debts()

    def expire(self, now: datetime) -> None:
        for point in [*self.at("available"), *self.at("pending")]:
            if point.expires_at is not None and point.expires_at <= now:
                point.where = "expired"

    def hold(self, holder: str, points: int) -> bool:
        if len(self.at("available")) < points:
            return False
        for point in self.at("available")[:points]:
            point.where, point.holder = "held", holder
        return True

    def use(self, holder: str) -> None:
        for point in self.at("held", holder=holder):
            point.where = "used"

    def back(self, holder: str, points: int, now: datetime, *, where: str) -> None:
        for point in self.at(where, holder=holder)[::-1][:points]:
            point.where, point.holder = "available", ""
        self.expire(now)
        self.pay_debts()

    def claw_back(self, lot: str, points: int) -> None:
        gone = len([p for p in self.all if p.lot == lot and p.where == "expired"])
        had = len([p for p in self.all if p.lot == lot]) - self.undone[lot] - gone
        points = min(points, had)
        self.undone[lot] += points
        own = [*self.at("pending", lot=lot), *self.at("available", lot=lot)]
        others = [p for p in self.at("available") if p.lot != lot]
        taken = [*own, *others][:points]
        for point in taken:
            point.where = "clawed"
        self.owed += points - len(taken)

    def pay_debts(self) -> None:
        for point in self.at("available")[: self.owed]:
            point.where = "clawed"
            self.owed -= 1

    def counts(self) -> dict[str, int]:
        names = ("available", "pending", "held", "used", "expired")
        return {name: len(self.at(name)) for name in names} | {"owed": self.owed}

    def left(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for point in self.all:
            found[point.lot] = found.get(point.lot, 0) + (point.where in {"available", "pending"})
        return found
