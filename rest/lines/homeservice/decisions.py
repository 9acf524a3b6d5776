"""Each outcome as what it does: the verb of the order that it names, with what the decision says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from chat.cases import Case
from rest.desk.cases import Word
from rest.lines.homeservice import actions
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import Job
from rest.money import penalties
from rest.money.refunds import Reason
from rest.money.refunds.rules import current_rules
from rest.trade import orders
from rest.trade.orders import By, Role
from storage.base.errors import Malformed, NotFound
from storage.tx import Tx

Act = Callable[[Tx, Case, Word], Awaitable[object]]


def _plain(verb: Callable[..., Awaitable[Job]]) -> Act:
    """A verb that needs to know nothing but the order, who says so, why, and in which case."""

    async def act(tx: Tx, case: Case, word: Word) -> Job:
        return await verb(tx, case.subject_id, word.by, word.note, case_id=case.id)

    return act


def _with(verb: Callable[..., Awaitable[Job]], name: str) -> Act:
    """A verb that needs one parameter more."""

    async def act(tx: Tx, case: Case, word: Word) -> Job:
        return await verb(tx, case.subject_id, word.by, getattr(word.params, name), word.note, case_id=case.id)

    return act


def _on_cancel(*, saved: bool) -> Act:
    async def act(tx: Tx, case: Case, word: Word) -> Job:
        return await actions.decide_cancel(tx, case.subject_id, word.by, saved=saved, note=word.note, case_id=case.id)

    return act


def _on_rejection(outcome: str) -> Act:
    async def act(tx: Tx, case: Case, word: Word) -> Job:
        return await actions.decide_rejection(
            tx, case.subject_id, word.by, outcome=outcome, note=word.note, case_id=case.id
        )

    return act


def _at_the_door(verb: Callable[..., Awaitable[Job]]) -> Act:
    async def act(tx: Tx, case: Case, word: Word) -> Job:
        job = await orders.lock_for_system(tx, HOMESERVICE, case.subject_id)
        return await verb(tx, job, By(Role.STAFF, word.by), word.note, case_id=case.id)

    return act


async def _ask_refund(tx: Tx, case: Case, word: Word) -> None:
    await _refund(tx, case, word, case_id=case.id)


async def _refund(tx: Tx, case: Case, word: Word, *, case_id: str | None) -> None:
    """Money of an ended order is asked for; people of finance give it (rest.money.refunds)."""
    job = await orders.lock_for_system(tx, HOMESERVICE, case.subject_id)
    fen = None if word.params.amount is None else word.params.amount.amount
    wish = actions.Wish(amount_fen=fen, reason=_reason(word), note=word.note)
    await actions.ask_refund(tx, current_rules(), job, By(Role.STAFF, word.by), wish, case_id=case_id)


def _reason(word: Word) -> Reason:
    try:
        return Reason(word.params.reason or Reason.GOODWILL)
    except ValueError:
        raise Malformed(f"One of {', '.join(Reason)}.", field="params.reason") from None


async def _end_order(tx: Tx, case: Case, word: Word) -> None:
    """It ends as served; an amount named is asked back for the customer at once."""
    await actions.complete(tx, case.subject_id, word.by, word.note, case_id=case.id)
    if word.params.amount is not None:
        await _refund(tx, case, word, case_id=None)


async def _waive_penalty(tx: Tx, case: Case, word: Word) -> None:
    penalty_id = word.params.penalty_id or ""
    if (await penalties.find(tx, penalty_id)).order_id != case.subject_id:
        raise NotFound
    await actions.reverse_penalty(tx, penalty_id, word.by, word.note, case_id=case.id)


ACTS: Mapping[str, Act] = {
    "technician_found": _with(actions.find_technician, "worker_id"),
    "wait_more": _plain(actions.wait_more),
    "customer_chooses": _with(actions.choose_for, "grab_id"),
    "reschedule": _with(actions.reschedule_for, "start_at"),
    "pay_again": _plain(actions.give_time),
    "cancel": _plain(actions.cancel_for),
    "ask_cancel": _plain(actions.cancel_for),
    "reached_technician": _plain(actions.ask_again),
    "change_technician": _with(actions.change_technician, "worker_id"),
    "cancel_with_refund": _plain(actions.call_off),
    "convert_to_pool": _plain(actions.convert_to_pool),
    "technician_accepts": _on_rejection("technician_agreed"),
    "customer_refuses": _on_rejection("cancel"),
    "saved": _on_cancel(saved=True),
    "not_saved": _on_cancel(saved=False),
    "goes_on": _plain(actions.let_customer_go_on),
    "insists": _plain(actions.break_off),
    "technician_goes_on": _plain(actions.let_technician_go_on),
    "end_with_refund": _plain(actions.terminate),
    "customer_found": _at_the_door(actions.find_customer),
    "technician_leaves": _at_the_door(actions.leave_unmet),
    "ended_without_penalty": _plain(actions.excuse),
    "end_service": _plain(actions.end_for),
    "left_confirmed": _plain(actions.confirm_left_for),
    "end_order": _end_order,
    "refund": _ask_refund,
    "waive_penalty": _waive_penalty,
    "coupon": _with(actions.compensate, "template_id"),
    "nothing_to_do": _plain(actions.leave_as_is),
}
"""Outcome (`outcomes.OUTCOMES`) → what it does. Each locks the order with everything it needs, in lock order."""
