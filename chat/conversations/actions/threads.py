"""Opening and closing conversations, and who takes part in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chat.conversations.facts import (
    UNSEEN,
    ConversationAssigned,
    ConversationClosed,
    ConversationFact,
    ConversationHanded,
    ConversationJoined,
    ConversationLeft,
    ConversationOpened,
    ConversationReopened,
    agent_audience,
    desk_hearers,
    fact_of,
    member_audience,
    staff_hearers,
)
from chat.conversations.model import PEOPLE, Circle, Conversation, Member, Role, StaleAssignment, Status
from chat.conversations.store import threads
from storage.base.errors import NotFound
from storage.postgres import RetryTx
from storage.tx import Tx


async def open_conversation(
    tx: Tx,
    *,
    customer_id: str | None,
    kind: str = "chat",
    subject: tuple[str, str] | None = None,
    tenant_id: str | None = None,
    circle: Circle | None = None,
) -> tuple[Conversation, bool]:
    """A new conversation, or the one this customer has open about this subject with this side; whether it is new.

    `tenant_id` None: with the platform. The customer takes part in it. `circle`: the staff who hear that it is new,
    where it will be kept to them. Tells conversation.opened, when it is new. Raises RetryTx when that other one was
    closed at this very moment.
    """
    conversation = Conversation(
        id=tx.new_id("con"),
        kind=kind,
        tenant_id=tenant_id,
        customer_id=customer_id,
        subject_kind=subject[0] if subject else None,
        subject_id=subject[1] if subject else None,
        status=Status.OPEN,
        is_handed=False,
        assignee_id=None,
        assign_epoch=0,
        last_seq=0,
        public_seq=0,
        opened_at=tx.now,
        last_at=tx.now,
        waiting_since=None,
        closed_at=None,
        version=1,
        circle=circle,
    )
    if not await threads.insert(tx, conversation):
        known = await threads.the_open_one(tx, conversation)
        if known is None:
            raise RetryTx
        return known, False
    to = desk_hearers(conversation, tenant_id)
    if customer_id is not None:
        customer = Member(account_id=customer_id, role=Role.CUSTOMER, audience=f"customer:{customer_id}")
        await threads.join(tx, conversation.id, customer)
        to.append(customer.audience)
    tx.tell(fact_of(ConversationOpened, conversation), to=to)
    return conversation, True


async def close_conversation(tx: Tx, conversation_id: str) -> Conversation:
    """Nothing more is said in it but notes. Tells conversation.closed. Raises NotFound, ConversationState."""
    before = await _lock(tx, conversation_id)
    closed = replace(before, status=before.after("close"), closed_at=tx.now, waiting_since=None)
    return await _saved(tx, closed, ConversationClosed)


async def reopen_conversation(tx: Tx, conversation_id: str) -> Conversation:
    """It goes on. Where the customer has opened another one meanwhile, that one goes on instead.

    Tells conversation.reopened. Raises NotFound, ConversationState.
    """
    before = await _lock(tx, conversation_id)
    status = before.after("reopen")
    other = await threads.the_open_one(tx, before) if before.customer_id else None
    if other is not None:
        return other
    return await _saved(tx, replace(before, status=status, closed_at=None), ConversationReopened)


async def has_other_open(tx: Tx, conversation_id: str) -> bool:
    """Whether the customer of a closed conversation has opened another one about the same. Raises NotFound."""
    before = await _lock(tx, conversation_id)
    other = await threads.the_open_one(tx, before) if before.customer_id else None
    return other is not None and other.id != conversation_id


async def set_assignee(tx: Tx, conversation_id: str, agent_id: str | None, epoch: int) -> Conversation:
    """It is this agent's under this epoch, or nobody's. He takes part from now on, the one before him no longer.

    Epochs only grow. Tells conversation.assigned, .joined, .left. Raises NotFound, StaleAssignment.
    """
    before = await _lock(tx, conversation_id)
    if epoch <= before.assign_epoch:
        raise StaleAssignment(assign_epoch=before.assign_epoch)
    given = await _save(tx, replace(before, assignee_id=agent_id, assign_epoch=epoch))
    active = [member for member in await threads.members(tx, conversation_id) if member.is_active]
    here = {member.account_id: member for member in active}
    former = here.get(before.assignee_id or "")
    if former is not None and former.account_id != agent_id and former.role not in PEOPLE:
        await _leave(tx, given, former, active)
    if agent_id is not None and (agent_id not in here or here[agent_id].role is Role.OBSERVER):
        member = Member(account_id=agent_id, role=Role.AGENT, audience=agent_audience(agent_id))
        active.append(await _join(tx, given, member, active))
    tx.tell(
        fact_of(ConversationAssigned, given, assignee_id=agent_id, assign_epoch=epoch), to=staff_hearers(given, active)
    )
    return given


async def hand_over(tx: Tx, conversation_id: str, *, to_platform: bool) -> Conversation:
    """Let the platform's desk help with a tenant's conversation, or no longer. Again, it stays so.

    Tells conversation.handed to both desks. Raises NotFound, also for one that is the platform's anyway.
    """
    before = await _lock(tx, conversation_id)
    if before.tenant_id is None:
        raise NotFound
    if before.is_handed == to_platform:
        return before
    handed = await _save(tx, replace(before, is_handed=to_platform))
    both = [*desk_hearers(handed, handed.tenant_id), *desk_hearers(handed, None)]
    tx.tell(fact_of(ConversationHanded, handed, is_handed=to_platform), to=both)
    return handed


async def join(
    tx: Tx,
    conversation_id: str,
    account_id: str,
    role: Role,
    *,
    audience: str | None = None,
    sees_history: bool = True,
) -> Member:
    """Somebody takes part from now on; `sees_history`: also in what was said before. Again, he stays as he is.

    `audience`: where he hears facts; staff need not say. Tells conversation.joined; unseen staff to staff alone.
    Raises NotFound.
    """
    conversation = await _lock(tx, conversation_id)
    members = {member.account_id: member for member in await threads.members(tx, conversation_id)}
    known = members.get(account_id)
    if known is not None and (known.role in PEOPLE or (known.is_active and known.role is role)):
        if known.is_active:
            return known
        role = known.role  # who was served stays one who is served
    moved = await _save(tx, conversation)
    member = Member(
        account_id=account_id,
        role=role,
        audience=audience or agent_audience(account_id),
        joined_seq=1 if sees_history else conversation.last_seq + 1,
    )
    return await _join(tx, moved, member, [one for one in members.values() if one.is_active])


async def leave(tx: Tx, conversation_id: str, account_id: str) -> None:
    """Somebody takes part no longer: he keeps what he saw, if he is no staff. Again, nothing happens.

    Tells conversation.left, to him too. Raises NotFound.
    """
    conversation = await _lock(tx, conversation_id)
    active = [member for member in await threads.members(tx, conversation_id) if member.is_active]
    gone = next((member for member in active if member.account_id == account_id), None)
    if gone is not None:
        await _leave(tx, await _save(tx, conversation), gone, active)


async def find_conversation(tx: Tx, conversation_id: str) -> Conversation:
    """For callers that decide themselves who may. Raises NotFound."""
    found = await threads.stand(tx, conversation_id, "")
    if found is None:
        raise NotFound
    return found.conversation


async def _join(tx: Tx, conversation: Conversation, member: Member, active: list[Member]) -> Member:
    await threads.join(tx, conversation.id, member)
    fact = fact_of(
        ConversationJoined,
        conversation,
        account_id=member.account_id,
        role=member.role.value,
        joined_seq=member.joined_seq,
    )
    tx.tell(fact, to=[*_told_of(conversation, member, active), member.audience])
    return member


async def _leave(tx: Tx, conversation: Conversation, member: Member, active: list[Member]) -> None:
    await threads.leave(tx, conversation.id, member.account_id, conversation.last_seq)
    active.remove(member)
    fact = fact_of(ConversationLeft, conversation, account_id=member.account_id, role=member.role.value)
    tx.tell(fact, to=[*_told_of(conversation, member, active), member.audience])


def _told_of(conversation: Conversation, member: Member, active: list[Member]) -> list[str]:
    """Who hears that this one comes or goes."""
    staff = staff_hearers(conversation, active)
    return staff if member.role in UNSEEN else [*staff, *(member_audience(conversation, one) for one in active)]


async def _lock(tx: Tx, conversation_id: str) -> Conversation:
    conversation = await threads.lock(tx, conversation_id)
    if conversation is None:
        raise NotFound
    return conversation


async def _save(tx: Tx, conversation: Conversation) -> Conversation:
    saved = replace(conversation, version=conversation.version + 1)
    await threads.save(tx, saved)
    return saved


async def _saved(tx: Tx, conversation: Conversation, kind: type[ConversationFact], **more: Any) -> Conversation:  # noqa: ANN401 - the fields of `kind`
    """Save it and tell everybody in it, and its desk."""
    saved = await _save(tx, conversation)
    active = [member_audience(saved, one) for one in await threads.members(tx, saved.id) if one.is_active]
    tx.tell(fact_of(kind, saved, **more), to=[*active, *desk_hearers(saved, saved.tenant_id)])
    return saved
