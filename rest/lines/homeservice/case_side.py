"""Home service's part of a case: what may be decided in it, doing it, and what that moved."""

from __future__ import annotations

from chat import cases
from chat.cases import Case
from dispatch.model import AlreadyGrabbed, CandidateGone, NotEligible, OrderGone, OwnOrder, SlotConflict
from rest.desk.cases import ConsentRequired, Moved, Option, OutcomeNotAllowed, Word
from rest.lines.homeservice.casework.effects import open_case
from rest.lines.homeservice.casework.outcomes import Outcome, outcomes_now
from rest.lines.homeservice.decisions import ACTS
from rest.lines.homeservice.errors import NotWaiting, SameTechnician, TechnicianBusy, TimePast, TimeTooFar, WaitNotOver
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import Job
from rest.marketing.coupons.model import CouponGiftLimit, CouponLimit, CouponNotOpen, CouponSoldOut
from rest.money import penalties
from rest.money.penalties import Penalty, PenaltyReversed, PenaltyState
from rest.money.refunds import RefundOpen, TooManyRefunds
from rest.money.wallet import RefundExceedsPaid
from rest.trade import orders
from rest.trade.orders import By, Role, WrongState
from rest.trade.pricing import PriceChanged
from storage.base.errors import HubError, Malformed
from storage.tx import Tx


class HomeserviceCases:
    """What the desk asks of this line."""

    refusals: tuple[type[HubError], ...] = (
        WrongState, SameTechnician, TechnicianBusy, NotEligible, OwnOrder, AlreadyGrabbed, OrderGone, SlotConflict,
        CandidateGone, PriceChanged, TimePast, TimeTooFar, NotWaiting, WaitNotOver, RefundExceedsPaid, RefundOpen,
        TooManyRefunds, PenaltyReversed, CouponGiftLimit, CouponNotOpen, CouponSoldOut, CouponLimit,
    )  # fmt: skip

    async def options(self, tx: Tx, case: Case, roles: frozenset[str]) -> list[Option]:
        """What these people may decide now."""
        job = await orders.read_for_staff(tx, HOMESERVICE, case.subject_id)
        return [_option(outcome) for outcome in outcomes_now(case.type, job, roles)]

    async def decide(self, tx: Tx, case: Case, word: Word) -> Moved:
        """Run the outcome's verb, which closes the case.

        Whether it is permitted is asked of the order as it is read here; the verb asks the state machine again under
        the order's lock. Raises OutcomeNotAllowed, ConsentRequired, Malformed, and refusals of the verb.
        """
        before = await orders.read_for_staff(tx, HOMESERVICE, case.subject_id)
        allowed = {outcome.code: outcome for outcome in outcomes_now(case.type, before, word.roles)}
        if word.outcome not in allowed:
            raise OutcomeNotAllowed(allowed=sorted(allowed))
        _check_params(allowed[word.outcome], word)
        known = {one.id: one for one in await penalties.of_order(tx, case.subject_id)}
        await ACTS[word.outcome](tx, case, word)
        after = await orders.read_for_staff(tx, HOMESERVICE, case.subject_id)
        return _moved(before, after, known, await penalties.of_order(tx, case.subject_id))

    async def open_by_hand(self, tx: Tx, subject_id: str, by: str, note: str) -> Case:
        """A case of type `manual` (HS-197). Raises NotFound."""
        job = await orders.lock_for_system(tx, HOMESERVICE, subject_id)
        return await open_case(tx, job, "manual", By(Role.STAFF, by), note=note)


async def complain(tx: Tx, job: Job, by: By, text: str) -> cases.Case:
    """One side is not content with the other, or with us; only support reads why. Needs the lock."""
    return await open_case(tx, job, "complaint", by, note=text)


def _option(outcome: Outcome) -> Option:
    return Option(outcome=outcome.code, needs=outcome.needs, takes=outcome.takes, moves_money=outcome.moves_money)


def _check_params(outcome: Outcome, word: Word) -> None:
    """What it needs is there, and nothing that it cannot use. Raises Malformed, ConsentRequired."""
    for name in word.params.__struct_fields__:
        is_given = getattr(word.params, name) is not None
        if is_given and name not in (*outcome.needs, *outcome.takes):
            raise Malformed(f"{outcome.code} does not use this.", field=f"params.{name}")
        if name in outcome.needs and name != "consent" and not is_given:
            raise Malformed(f"{outcome.code} needs this.", field=f"params.{name}")
    if "consent" in outcome.needs and not word.params.consent:
        raise ConsentRequired


def _moved(before: Job, after: Job, known: dict[str, Penalty], now: list[Penalty]) -> Moved:
    booked = [one for one in now if one.id not in known]
    waived = [one for one in now if one.id in known and one.state is not known[one.id].state]
    signed = [(one, 1) for one in booked] + [(one, -1) for one in waived if one.state is PenaltyState.REVERSED]
    kept = {"customer": 0, "worker": 0}
    for one, sign in signed:
        kept[one.payer.kind] += sign * one.amount_fen
    return Moved(
        status_before=before.order.status,
        status=after.order.status,
        customer_refund_fen=after.order.refunded_fen - before.order.refunded_fen,
        customer_penalty_fen=kept["customer"],
        worker_penalty_fen=kept["worker"],
        refund_asked_fen=after.order.refund_reserved_fen - before.order.refund_reserved_fen,
        house_pays_fen=after.visit.travel_extra_fen - before.visit.travel_extra_fen,
    )


CASES = HomeserviceCases()
