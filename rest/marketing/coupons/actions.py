"""Verbs of coupons: offer, claim, give, and the four steps an order or time makes with one.

Lock order: the order's own rows (held by the caller) → template → coupon → ledger accounts → job rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rest.marketing.coupons import store
from rest.marketing.coupons.facts import CouponIssued, CouponReleased, owner
from rest.marketing.coupons.model import (
    GIFT_CASE_MAX_FEN,
    Coupon,
    CouponGiftLimit,
    CouponLimit,
    CouponLocked,
    CouponNotApplicable,
    CouponNotOpen,
    CouponSoldOut,
    CouponState,
    Gift,
    Held,
    Members,
    MembersOnly,
    Purchase,
    Reason,
    Template,
    TemplateChanges,
    Terms,
    discount,
    unfit,
    why_not,
)
from storage.base.errors import Malformed, NotFound
from storage.base.money import as_money
from storage.postgres import RetryTx
from storage.tx import Tx

EXPIRE_KIND = "coupons.expire"
NO_MEMBER: Mapping[str, str] = MappingProxyType({})
"""The levels by line of who is a member of nothing."""


async def create_template(
    tx: Tx,
    *,
    name: Mapping[str, str],
    terms: Terms,
    quota: int,
    per_account_max: int,
    claimable: bool,
    by_id: str,
    members: Members | None = None,
    active: bool = True,
) -> Template:
    """Offer a new kind of coupon (HS-184)."""
    template = Template(
        id=tx.new_id("cpt"),
        name=name,
        terms=terms,
        quota=quota,
        issued=0,
        per_account_max=per_account_max,
        claimable=claimable,
        members=members,
        active=active,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )
    await store.add_template(tx, template, by_id)
    return template


async def lock_template(tx: Tx, template_id: str) -> Template:
    """Raises NotFound."""
    return _found(await store.template(tx, template_id, lock=True))


async def read_template(tx: Tx, template_id: str) -> Template:
    """Raises NotFound."""
    return _found(await store.template(tx, template_id))


def _found(template: Template | None) -> Template:
    if template is None:
        raise NotFound
    return template


async def change_template(tx: Tx, template: Template, changes: TemplateChanges) -> Template:
    """Needs the lock. Coupons people hold keep what they promise. Raises CouponTermsFixed, CouponQuota."""
    after = template.changed(tx.now, changes)
    if not await store.save_template(tx, template, after):
        raise RetryTx
    return after


async def offers(tx: Tx, member_of: Mapping[str, str], *, before_id: str, limit: int) -> list[Template]:
    """What somebody with these levels by line may take now, newest first (RV-310)."""
    return await store.open_templates(tx, member_of, before_id=before_id, limit=limit)


async def claim(tx: Tx, template_id: str, account_id: str, *, member_of: Mapping[str, str] = NO_MEMBER) -> Held:
    """Take one for oneself. The caller holds the memberships that `member_of` says the levels of, by line.

    Raises NotFound, CouponNotOpen, CouponSoldOut, CouponLimit, MembersOnly.
    """
    template, (coupon,) = await _issue(tx, template_id, [account_id], None, member_of)
    return Held(coupon, template.name, template.terms)


async def give(
    tx: Tx,
    template_id: str,
    account_ids: Sequence[str],
    *,
    by_id: str,
    reason: str,
    case_id: str | None = None,
    limited: bool = False,
) -> tuple[Gift, list[Coupon]]:
    """Give one to each of these accounts, or to none; who gave it and why is kept (HS-189).

    `limited`: by support, which gives in a case and up to a value. The caller has looked the accounts and the case up.
    Raises NotFound, CouponNotOpen, CouponSoldOut, CouponLimit, CouponGiftLimit, Malformed.
    """
    if len(set(account_ids)) != len(account_ids):
        raise Malformed("An account is named twice.", field="account_ids")
    if limited and case_id is None:
        raise Malformed("Say in which case.", field="case_id")
    before_fen = await store.hold_case(tx, case_id) if case_id is not None else 0
    template = await read_template(tx, template_id)
    value_fen = template.terms.worth_fen * len(account_ids)
    if limited and before_fen + value_fen > GIFT_CASE_MAX_FEN:
        raise CouponGiftLimit(left=as_money(max(0, GIFT_CASE_MAX_FEN - before_fen)))
    gift = Gift(tx.new_id("gft"), template_id, by_id, reason, case_id, len(account_ids), value_fen, tx.now)
    await store.add_gift(tx, gift)
    issued, coupons = await _issue(tx, template_id, account_ids, gift.id)
    if issued.terms != template.terms:
        raise RetryTx  # changed between our look and our lock
    return gift, coupons


async def give_if_left(tx: Tx, template_id: str, account_id: str, *, by_id: str, reason: str) -> Coupon | str:
    """Give one if there is one to give; else the code of what `give` would have said, and nothing is written.

    For givers who have other things to do in the same transaction. Locks the template. Raises NotFound.
    """
    template = await lock_template(tx, template_id)
    if not template.is_open(tx.now) or template.issued >= template.quota:
        return _no_stock(template, tx, claimed=False).code
    had = await store.had(tx, template_id, [account_id])
    if had.get(account_id, (0, 0))[1] >= template.per_account_max:
        return CouponLimit.code
    _, (coupon,) = await give(tx, template_id, [account_id], by_id=by_id, reason=reason)
    return coupon


async def _issue(
    tx: Tx, template_id: str, account_ids: Sequence[str], gift_id: str | None, member_of: Mapping[str, str] = NO_MEMBER
) -> tuple[Template, list[Coupon]]:
    claimed = gift_id is None
    template = await store.take_stock(tx, template_id, len(account_ids), claimed=claimed)
    if template is None:
        raise _no_stock(await store.template(tx, template_id), tx, claimed=claimed)
    if claimed and template.members is not None and not template.members.admit(member_of):
        raise MembersOnly(line=template.members.line, levels=list(template.members.levels))
    had = await store.had(tx, template_id, account_ids)
    for account_id, (_, kept) in had.items():
        if kept >= template.per_account_max:
            raise CouponLimit(per_account_max=template.per_account_max, **({} if claimed else {"account": account_id}))
    valid_from, valid_until = template.terms.window(tx.now)
    new = [
        Coupon(
            id=tx.new_id("cpn"),
            template_id=template_id,
            account_id=account_id,
            seq=had.get(account_id, (0, 0))[0] + 1,
            state=CouponState.ISSUED,
            order_id=None,
            source="claim" if claimed else "gift",
            gift_id=gift_id,
            valid_from=valid_from,
            valid_until=valid_until,
            issued_at=tx.now,
            locked_at=None,
            used_at=None,
            version=1,
        )
        for account_id in account_ids
    ]
    await store.add(tx, new)
    for coupon in new:
        _watch(tx, coupon)
        _tell_issued(tx, template, coupon)
    return template, new


def _no_stock(template: Template | None, tx: Tx, *, claimed: bool) -> NotFound | CouponNotOpen | CouponSoldOut:
    if template is None or (claimed and not template.claimable):
        return NotFound()
    return CouponSoldOut() if template.is_open(tx.now) else CouponNotOpen()


def _watch(tx: Tx, coupon: Coupon) -> None:
    tx.schedule(EXPIRE_KIND, expire_key(coupon.id), coupon.valid_until, {"coupon_id": coupon.id})


def expire_key(coupon_id: str) -> str:
    """Of the deadline at which its time is over."""
    return f"{coupon_id}:expire"


def _tell_issued(tx: Tx, template: Template, coupon: Coupon) -> None:
    fact = CouponIssued(
        coupon_id=coupon.id,
        template_id=template.id,
        name=template.name,
        source=coupon.source,
        valid_from=coupon.valid_from,
        valid_until=coupon.valid_until,
    )
    tx.tell(fact, to=[owner(coupon.account_id)])


async def lock_for_order(tx: Tx, coupon_id: str, account_id: str, order_id: str, purchase: Purchase) -> int:
    """Bind the coupon to an order that is being made; what it takes off, in fen (HS-185).

    One guarded write decides: of several orders one gets it. Raises CouponLocked, CouponNotApplicable (says why).
    """
    held = await store.lock_for_order(tx, coupon_id, account_id, order_id)
    if held is None:
        raise _refusal(await store.find(tx, coupon_id, account_id), purchase, tx)
    reason = unfit(held.terms, purchase)
    if reason is not None:
        raise CouponNotApplicable(reason=reason.value)
    return discount(held.terms, purchase.item_fen)


def _refusal(held: Held | None, purchase: Purchase, tx: Tx) -> CouponLocked | CouponNotApplicable | RetryTx:
    """Why no coupon was locked; somebody else's looks like none."""
    if held is None:
        return CouponNotApplicable(reason=Reason.UNKNOWN.value)
    reason = why_not(held.coupon, held.terms, purchase, tx.now)
    if reason is Reason.LOCKED:
        return CouponLocked()
    return RetryTx() if reason is None else CouponNotApplicable(reason=reason.value)


async def use(tx: Tx, coupon_id: str, order_id: str) -> Coupon:
    """The order is paid; needs the order's lock. Paid a second time, it is used already. Raises WrongCouponState."""
    coupon = await _lock_of_order(tx, coupon_id, order_id)
    if coupon.state is CouponState.USED:
        return coupon
    return await _save(tx, coupon, coupon.used(tx.now))


async def give_back(tx: Tx, coupon_id: str, order_id: str) -> Coupon:
    """The order ended unpaid, or all that was paid went back; needs the order's lock. Raises WrongCouponState."""
    coupon = await _lock_of_order(tx, coupon_id, order_id)
    after = await _save(tx, coupon, coupon.returned(tx.now))
    if after.state is CouponState.ISSUED:
        _watch(tx, after)  # its deadline may have come, and found it held, since this transaction began
    fact = CouponReleased(
        coupon_id=coupon.id, order_id=order_id, state=after.state.value, valid_until=coupon.valid_until
    )
    tx.tell(fact, to=[owner(coupon.account_id)])
    return after


async def expire(tx: Tx, payload: dict[str, Any]) -> None:
    """Its time is over, unless an order holds it: then its return decides."""
    coupon = await store.lock(tx, payload["coupon_id"])
    after = coupon.expired(tx.now) if coupon is not None else None
    if coupon is not None and after is not None:
        await _save(tx, coupon, after)


async def _lock_of_order(tx: Tx, coupon_id: str, order_id: str) -> Coupon:
    coupon = await store.lock(tx, coupon_id)
    if coupon is None or coupon.order_id != order_id:
        raise AssertionError(f"{coupon_id} is not the coupon of {order_id}")
    return coupon


async def _save(tx: Tx, before: Coupon, after: Coupon) -> Coupon:
    if not await store.save(tx, before, after):
        raise AssertionError(f"{before.id} moved under its lock")
    return after


@dataclass(frozen=True, slots=True)
class Choice:
    """One own coupon looked at for a purchase: good, or why not."""

    held: Held
    reason: Reason | None
    discount_fen: int


async def choices(tx: Tx, account_id: str, purchase: Purchase, *, before_id: str, limit: int) -> list[Choice]:
    """Own coupons that are not gone, newest first, each with whether it is good for this purchase (HS-047)."""
    states = (CouponState.ISSUED, CouponState.LOCKED)
    found = await store.of_account(tx, account_id, states, before_id=before_id, limit=limit)
    return [_look(held, purchase, tx) for held in found]


async def look(tx: Tx, coupon_id: str, account_id: str, purchase: Purchase) -> int:
    """What the coupon would take off, in fen; nothing is locked. Raises as `lock_for_order`."""
    held = await store.find(tx, coupon_id, account_id)
    choice = None if held is None else _look(held, purchase, tx)
    if choice is None or choice.reason is not None:
        raise _refusal(held, purchase, tx)
    return choice.discount_fen


def _look(held: Held, purchase: Purchase, tx: Tx) -> Choice:
    reason = why_not(held.coupon, held.terms, purchase, tx.now)
    return Choice(held, reason, 0 if reason is not None else discount(held.terms, purchase.item_fen))
