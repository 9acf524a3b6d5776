"""What support does to an order in a case, where no side of it would: ends it, compensates, leaves it as it is."""

from __future__ import annotations

from rest.lines.homeservice.actions.visiting import ended
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import IN_SERVICE, Job
from rest.lines.homeservice.technicians import count_done
from rest.trade import orders
from rest.trade.orders import By, Role
from storage.tx import Tx


async def end_for(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str) -> Job:
    """Support ends a running service (HS-131). Raises NotFound, WrongState, CaseNotOpen."""
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by, data = By(Role.STAFF, staff_id), {"note": note, "case_id": case_id}
    HOMESERVICE.machine.decide(job.order.status, "end", by)
    return await orders.apply(tx, HOMESERVICE, job, "end", by, after=ended(tx, job), data=data)


async def confirm_left_for(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str | None = None) -> Job:
    """The customer tells support that the technician has left (HS-110). Raises NotFound, WrongState, CaseNotOpen."""
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by, data = By(Role.STAFF, staff_id), {"note": note, "case_id": case_id}
    return await orders.apply(tx, HOMESERVICE, job, "confirm_left", by, data=data)


async def complete(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str | None = None) -> Job:
    """Support ends an order whose service has begun; its money is shared out as of any other (HS-109, HS-131).

    What the customer shall have back is asked for after that. Raises NotFound, WrongState, CaseNotOpen.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by, data = By(Role.STAFF, staff_id), {"note": note, "case_id": case_id}
    HOMESERVICE.machine.decide(job.order.status, "complete", by)
    after = ended(tx, job) if job.order.status == IN_SERVICE else job
    done = await orders.apply(tx, HOMESERVICE, job, "complete", by, after=after, data=data)
    assert done.order.provider_id is not None  # noqa: S101 - a served order has a technician
    await count_done(tx, done.order.provider_id)
    return done


async def compensate(tx: Tx, order_id: str, staff_id: str, template_id: str, note: str, *, case_id: str) -> Job:
    """The customer gets a coupon for his trouble, up to what a case may give (HS-189).

    Raises NotFound, CaseNotOpen, CouponGiftLimit, CouponNotOpen, CouponSoldOut, CouponLimit.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by, data = By(Role.STAFF, staff_id), {"note": note, "case_id": case_id, "template_id": template_id}
    return await orders.apply(tx, HOMESERVICE, job, "compensate", by, to=job.order.status, data=data)


async def leave_as_is(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str) -> Job:
    """Support has talked, and the order stays as it is. Raises NotFound, CaseNotOpen."""
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by, data = By(Role.STAFF, staff_id), {"note": note, "case_id": case_id}
    return await orders.apply(tx, HOMESERVICE, job, "leave_as_is", by, data=data)
