"""Talking to the sides of a case: the conversation about its order is opened or found, and that is written down."""

from __future__ import annotations

from chat import cases, conversations
from chat.cases import Case
from chat.conversations import Status
from rest.desk.conversations.joining import join_worker
from rest.trade import orders
from storage.base.errors import NotFound
from storage.tx import Tx

CUSTOMER, WORKER, BOTH = "customer", "worker", "both"
CHAT, CALL = "chat", "call"


async def contact(tx: Tx, case_id: str, by: str, *, party: str, way: str) -> tuple[Case, str | None]:
    """Turn to the customer, the worker, or both together (HS-193); the case, and the conversation it is in.

    A call is only written down: nobody who puts calls through is connected to this program. Raises NotFound (also when
    the order has no worker), CaseNotOpen.
    """
    case = await cases.find_case(tx, case_id)
    parties = await orders.parties_of(tx, case.subject_id) if case.subject_kind == "order" else None
    if parties is None or (party != CUSTOMER and parties[1] is None):
        raise NotFound
    customer_id, worker_id = parties
    who = f"{WORKER}:{worker_id}" if party == WORKER else party
    conversation_id = None
    if way == CHAT and party == WORKER:
        conversation_id = await _with_worker_alone(tx, case, who, worker_id or "")
    elif way == CHAT:
        subject = ("order", case.subject_id)
        conversation_id = (await conversations.open_conversation(tx, customer_id=customer_id, subject=subject))[0].id
        if party == BOTH:
            await join_worker(tx, conversation_id, worker_id or "")
    logged = await cases.log_contact(tx, case_id, by, party=who, way=way, conversation_id=conversation_id)
    return logged, conversation_id


async def _with_worker_alone(tx: Tx, case: Case, party: str, worker_id: str) -> str:
    """The conversation support has with this worker about the order; the customer takes no part in it."""
    before = await cases.last_contact(tx, case, party)
    if before is not None and (await conversations.find_conversation(tx, before)).status is Status.OPEN:
        return before
    opened, _ = await conversations.open_conversation(tx, customer_id=None, subject=("order", case.subject_id))
    await join_worker(tx, opened.id, worker_id)
    return opened.id
