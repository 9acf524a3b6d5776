"""Verbs of signing. Lock order: whatever the payment locks → the password → devices and challenges."""

from __future__ import annotations

from rest.money.passwords import count_try
from rest.money.passwords import store as passwords
from rest.money.passwords.model import PasswordRequired
from rest.money.signing import store
from rest.money.signing.facts import WalletDeviceAdded
from rest.money.signing.keys import read_key
from rest.money.signing.model import (
    DEVICES_MAX,
    VALID_FOR,
    Action,
    Challenge,
    ChallengeExpired,
    Device,
    DeviceKnown,
    Proof,
    SignatureBad,
    TooManySigningDevices,
)
from storage.base.errors import NotFound
from storage.base.log import log
from storage.tx import Tx


async def register(tx: Tx, account_id: str, *, name: str, key: bytes, salt: bytes) -> Device:
    """Let a device sign, and tell its owner; `salt` names the password that was proved. Locks the password: it cannot
    change meanwhile.

    Raises DeviceKeyBad, DeviceKnown, TooManySigningDevices; PasswordRequired when the password is another one by now.
    """
    algorithm, public_key = read_key(key)
    password = await passwords.lock(tx, account_id)
    if password is None or password.salt != salt:
        raise PasswordRequired
    await store.forget_old(tx, account_id, salt)
    if len(await store.devices(tx, account_id)) >= DEVICES_MAX:
        raise TooManySigningDevices(devices_max=DEVICES_MAX)
    device = Device(
        id=tx.new_id("wdv"),
        account_id=account_id,
        name=name,
        algorithm=algorithm,
        public_key=public_key,
        password_salt=salt,
        created_at=tx.now,
        used_at=None,
    )
    if not await store.add(tx, device):
        raise DeviceKnown
    fact = WalletDeviceAdded(device_id=device.id, device_name=name, added_at=tx.now)
    tx.tell(fact, to=[f"customer:{account_id}"])
    log("wallet.device_added", account_id=account_id, device_id=device.id)
    return device


async def remove(tx: Tx, device_id: str, account_id: str) -> None:
    """It signs nothing any more, not even what it was asked to. Raises NotFound."""
    await passwords.lock(tx, account_id)
    if not await store.remove(tx, device_id, account_id):
        raise NotFound
    log("wallet.device_removed", account_id=account_id, device_id=device_id)


async def challenge(
    tx: Tx, account_id: str, *, device_id: str, action: Action, subject: str, amount_fen: int, nonce: str
) -> Challenge:
    """Ask a device to sign this. Raises NotFound for a device that may not."""
    if await store.device(tx, device_id, account_id) is None:
        raise NotFound
    made = Challenge(
        id=tx.new_id("wch"),
        account_id=account_id,
        device_id=device_id,
        action=action,
        subject=subject,
        amount_fen=amount_fen,
        nonce=nonce,
        created_at=tx.now,
        expires_at=tx.now + VALID_FOR,
        used_at=None,
    )
    await store.add_challenge(tx, made)
    return made


async def spend(tx: Tx, proof: Proof | None, *, action: Action, subject: str, amount_fen: int) -> None:
    """Use up what was signed for this; in the transaction of what it pays, which ends if it is of something else.

    Wrong tries are forgotten here and not where the signature was looked at: one that was used up forgives nothing.
    Nothing where no signature was given: the password was asked for. Raises ChallengeExpired, SignatureBad, PayLocked.
    """
    if proof is None:
        return
    if (locked := await count_try(tx, proof.account_id, is_right=True)) is not None:
        raise locked
    signed = await store.use(tx, proof.challenge_id, proof.account_id)
    if signed is None:
        raise ChallengeExpired
    if (signed.action, signed.subject, signed.amount_fen) != (action, subject, amount_fen):
        raise SignatureBad
    await store.note_use(tx, signed.device_id)
