"""Publishing versions of levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rest.marketing import coupons
from rest.marketing.membership import store
from rest.marketing.membership.model import MemberRankTaken
from rest.marketing.membership.runs import Level
from storage.base.log import log
from storage.tx import Tx


async def publish_level(
    tx: Tx,
    code: str,
    *,
    line: str,
    name: Mapping[str, str],
    rank: int,
    price_fen: int,
    months: int,
    discount_bps: int,
    coupon_templates: Sequence[str],
    on_sale: bool,
    by_id: str,
) -> Level:
    """The level is this from now on; what has been bought keeps the version it was bought at (HS-188).

    Raises NotFound for a coupon template that is none, MemberRankTaken.
    """
    for template_id in coupon_templates:
        await coupons.read_template(tx, template_id)
    await store.hold_levels(tx)
    before = await store.level(tx, code)
    if before is not None and (before.line, before.rank) != (line, rank):
        raise MemberRankTaken(line=before.line, rank=before.rank)
    if await store.level_with_rank(tx, line, rank) not in {None, code}:
        raise MemberRankTaken(line=line, rank=rank)
    level = Level(
        code=code,
        version=1 if before is None else before.version + 1,
        line=line,
        name=name,
        rank=rank,
        price_fen=price_fen,
        months=months,
        discount_bps=discount_bps,
        coupon_templates=tuple(coupon_templates),
        on_sale=on_sale,
        changed_by=by_id,
        created_at=tx.now,
    )
    await store.add_level(tx, level)
    log("member_level.published", level=code, version=level.version, by=by_id, on_sale=on_sale)
    return level
