"""What a person does with the inbox, the wishes and the devices."""

from __future__ import annotations

from dataclasses import replace

from rest.reach.actions.telling import WAKE, tell_counts
from rest.reach.kinds import FAMILIES, KINDS
from rest.reach.model import Channel, Device, DeviceUnknown, Notice, UnknownKind, Wishes
from rest.reach.store import deliveries, notices
from storage.base.errors import NotFound
from storage.tx import Tx


async def find(tx: Tx, account_id: str, notice_id: str) -> Notice:
    """Raises NotFound."""
    notice = await notices.find(tx, notice_id, account_id=account_id)
    if notice is None:
        raise NotFound
    return notice


async def read_one(tx: Tx, account_id: str, notice_id: str) -> Notice:
    """Mark it read; repeated, it stays read since then. Raises NotFound."""
    notice = await find(tx, account_id, notice_id)
    if await notices.read(tx, account_id, since=notice.no, upto=notice.no):
        await tell_counts(tx, [account_id])
        return replace(notice, read_at=tx.now)
    return notice


async def read_upto(tx: Tx, account_id: str, notice_id: str) -> int:
    """Mark it and all before it read; how many were not. Raises NotFound."""
    read = await notices.read(tx, account_id, upto=(await find(tx, account_id, notice_id)).no)
    if read:
        await tell_counts(tx, [account_id])
    return read


async def change_wishes(tx: Tx, wanted: Wishes) -> Wishes:
    """These are all wishes of this person now; what is held waits for the new end. Raises UnknownKind."""
    for entry in sorted(wanted.muted):
        kind, _, channel = entry.partition("/")
        if kind not in KINDS.keys() | FAMILIES or channel not in set(Channel):
            raise UnknownKind(kind=kind)
    saved = await notices.save_wishes(tx, wanted)
    until = saved.quiet_until(tx.now) or tx.now
    tx.schedule(WAKE, f"{WAKE}:{saved.account_id}", until, {"account_id": saved.account_id})
    return saved


async def register(tx: Tx, account_id: str, session_id: str, *, platform: str, token: str) -> Device:
    """Bind a device to this account and session, taking it from whoever had it (HS-199)."""
    device = Device(
        id=tx.new_id("dev"),
        account_id=account_id,
        session_id=session_id,
        platform=platform,
        token=token,
        created_at=tx.now,
        seen_at=tx.now,
    )
    bound = await deliveries.bind(tx, device)
    await deliveries.drop_surplus(tx, account_id)
    return replace(bound, token="")


async def forget(tx: Tx, account_id: str, device_id: str) -> None:
    """Raises DeviceUnknown."""
    if not await deliveries.drop_device(tx, device_id, account_id=account_id):
        raise DeviceUnknown
