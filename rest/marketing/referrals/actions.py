"""Verbs of referrals: a code of one's own, and naming whoever brought one."""

from __future__ import annotations

import dispatch
from rest import people
from rest.marketing.referrals import store
from rest.marketing.referrals.facts import ReferralJoined
from rest.marketing.referrals.model import CodeUnknown, Referral, Side, mask_name, new_code, read_code
from rest.money import settlement
from rest.money.settlement import ChannelBound, Party, SelfReferral
from rest.people import AccountStatus
from storage.base.log import log
from storage.tx import Tx


async def code_of(tx: Tx, account_id: str) -> str:
    """The account's code, made at its first asking and the same ever after (HS-165)."""
    while (code := await store.code_of(tx, account_id)) is None:
        await store.add_code(tx, account_id, new_code())  # once in a trillion it is taken: another
    return code


async def bind_customer(tx: Tx, account_id: str, code: str) -> Referral:
    """A customer names who brought him (HS-172). Raises CodeUnknown, SelfReferral, ChannelBound."""
    account = await people.account_of(tx, account_id)
    return await _bind(tx, account_id, code, side=Side.CUSTOMER, name=account.nickname)


async def bind_worker(tx: Tx, account_id: str, worker_id: str, code: str) -> Referral:
    """A technician names who brought him, and who from now on earns by his orders (HS-166).

    Rewards go to the referrer's technician wallet if he is one, else to his customer wallet (HS-178).
    Raises CodeUnknown, SelfReferral, ChannelBound.
    """
    worker = await dispatch.get_worker(tx, worker_id)
    made = await _bind(tx, account_id, code, side=Side.TECHNICIAN, name=worker.display_name, worker_id=worker_id)
    await settlement.bind_channel(tx, worker_id, await _party(tx, made.referrer_id))
    return made


async def _bind(tx: Tx, account_id: str, code: str, *, side: Side, name: str, worker_id: str | None = None) -> Referral:
    referrer_id = await store.owner_of(tx, read_code(code))
    if referrer_id is None or (await people.account_of(tx, referrer_id)).status is AccountStatus.CLOSED:
        raise CodeUnknown
    await store.hold_bindings(tx)
    if referrer_id == account_id or await store.stands_above(tx, account_id, referrer_id):
        raise SelfReferral
    referral = Referral(
        id=tx.new_id("ref"),
        account_id=account_id,
        side=side,
        worker_id=worker_id,
        referrer_id=referrer_id,
        name=name,
        since=tx.now,
    )
    if not await store.insert(tx, referral):
        raise ChannelBound
    tx.tell(ReferralJoined(side=side.value, name=mask_name(name)), to=[f"customer:{referrer_id}"])
    return referral


async def close(tx: Tx, account_id: str, *, by: str, reason: str) -> int:
    """This account earns nothing more by those it brought; what it has stays (HS-173). How many there were."""
    closed = 0
    for party in await parties_of(tx, account_id):
        closed += await settlement.close_channels(tx, party)
    log("referrals.closed", account_id=account_id, by=by, reason=reason, workers=closed)
    return closed


async def parties_of(tx: Tx, account_id: str) -> list[Party]:
    """What an account may have been when it brought somebody: a customer, and a worker if it is one now."""
    worker = await dispatch.worker_of(tx, account_id)
    return [Party("customer", account_id), *([] if worker is None else [Party("worker", worker.id)])]


async def _party(tx: Tx, account_id: str) -> Party:
    return (await parties_of(tx, account_id))[-1]
