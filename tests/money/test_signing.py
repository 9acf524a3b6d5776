"""A device signs instead of the payment password (RV-041, RV-043): one payment, once, counted with the password."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rest.money import ledger
from rest.money.passwords.model import WRONG_MAX
from rest.money.signing.model import DEVICES_MAX
from storage import outbox
from storage.base import codec
from storage.base.clock import ManualClock
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.money.test_passwords import change, code, me, put, withdraw

__all__ = ["me"]
PAYEE = "6222020200112233445"
Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def spki(key: Any) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def sign(key: Key, message: str) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return base64.b64encode(key.sign(message.encode())).decode()
    return base64.b64encode(key.sign(message.encode(), ec.ECDSA(SHA256()))).decode()


async def register(me: Client, key: Any, password: str = "123456", **more: Any) -> tuple[int, Any]:
    body = {"name": "Phone", "public_key": spki(key), "password": password} | more
    status, _, answer = await me.send("POST", "/v1/wallet/devices", json=body)
    return status, answer


async def challenge(me: Client, device_id: str, **more: Any) -> tuple[int, Any]:
    amount = {"amount": more.pop("fen", 100), "currency": "CNY"}
    body = {"device_id": device_id, "action": "withdraw", "subject": PAYEE, "amount": amount} | more
    status, _, answer = await me.send("POST", "/v1/wallet/challenges", json=body)
    return status, answer


async def signed(me: Client, device_id: str, key: Key, **more: Any) -> dict[str, str]:
    status, asked = await challenge(me, device_id, **more)
    assert status == 201, asked
    return {"challenge_id": asked["id"], "signature": sign(key, asked["message"])}


async def ready(me: Client, key: Key) -> str:
    """Somebody with a password and this device."""
    await put(me, "123456", await code(me))
    status, device = await register(me, key)
    assert status == 201, device
    return str(device["id"])


@pytest.fixture(params=["p256", "ed25519"])
def key(request: pytest.FixtureRequest) -> Key:
    return ec.generate_private_key(ec.SECP256R1()) if request.param == "p256" else ed25519.Ed25519PrivateKey.generate()


@pytest.fixture
def phone() -> Key:
    return ed25519.Ed25519PrivateKey.generate()


async def held(db: Database, me: Client) -> int:
    async with db.begin() as tx:
        assert await ledger.verify(tx) == []
        return await ledger.balance(tx, ledger.customer_wallet(me.account_id))  # type: ignore[attr-defined]


async def told_of_devices(db: Database, me: Client) -> list[str]:
    """The names of the devices that the owner has been told of."""
    async with db.begin() as tx:
        await outbox.number(tx, limit=1_000)
        facts = await outbox.gap(tx, [f"customer:{me.account_id}"], since=0, upto=1_000, limit=1_000)  # type: ignore[attr-defined]
    return [codec.loads(fact.body)["device_name"] for fact in facts if fact.topic == "wallet.device_added"]


async def test_the_owner_is_told_of_a_device_that_was_let_in_and_of_no_other(me: Client, db: Database) -> None:
    phone, tablet = (ed25519.Ed25519PrivateKey.generate() for _ in range(2))
    await ready(me, phone)
    assert (await register(me, tablet, "000000", name="Thief"))[0] == 422
    assert (await register(me, phone, name="Twin"))[0] == 409
    assert (await register(me, tablet, name="Tablet"))[0] == 201
    assert await told_of_devices(db, me) == ["Phone", "Tablet"]


async def test_a_signature_pays_once_and_only_what_was_signed(me: Client, db: Database, key: Key) -> None:
    device = await ready(me, key)
    proof = await signed(me, device, key)
    assert (await withdraw(me, 1, signature=proof))[0] == 201
    assert (await withdraw(me, 1, signature=proof))[0] == 201  # the same request finds its answer
    assert (await withdraw(me, 2, signature=proof))[1]["code"] == "challenge_expired"
    for wrong in ({"fen": 101}, {"subject": "6222020200112233446"}, {"action": "pay"}):
        status, answer = await withdraw(me, 3, signature=await signed(me, device, key, **wrong))
        assert (status, answer["code"]) == (401, "signature_bad"), wrong
    assert await held(db, me) == 99_900
    assert (await me.send("GET", "/v1/wallet/devices"))[2]["data"][0]["used_at"] is not None


async def test_a_challenge_ends(me: Client, clock: ManualClock, phone: Key) -> None:
    device = await ready(me, phone)
    proof = await signed(me, device, phone)
    clock.advance(seconds=120)
    assert (await withdraw(me, 1, signature=proof))[1]["code"] == "challenge_expired"
    unknown = proof | {"challenge_id": "wch_" + "0" * 26}
    assert (await withdraw(me, 2, signature=unknown))[0] == 410


async def test_what_fails_uses_nothing_up(me: Client, phone: Key) -> None:
    device = await ready(me, phone)
    proof = await signed(me, device, phone, fen=200_000)
    much = {"amount": {"amount": 200_000, "currency": "CNY"}}
    assert (await withdraw(me, 1, signature=proof, **much))[1]["code"] == "insufficient_balance"
    assert (await withdraw(me, 2, signature=proof, **much))[1]["code"] == "insufficient_balance"


async def test_of_many_payments_with_one_challenge_one_goes_out(me: Client, db: Database, phone: Key) -> None:
    device = await ready(me, phone)
    proof = await signed(me, device, phone)
    answers = await asyncio.gather(*(withdraw(me, n, signature=proof) for n in range(8)))
    assert sorted(status for status, _ in answers) == [201] + [410] * 7
    assert await held(db, me) == 99_900


async def test_wrong_signatures_lock_like_wrong_passwords_and_old_ones_forgive_nothing(me: Client, phone: Key) -> None:
    device, stranger = await ready(me, phone), ed25519.Ed25519PrivateKey.generate()
    used = await signed(me, device, phone)
    assert (await withdraw(me, 0, signature=used))[0] == 201
    assert (await withdraw(me, 1, password="000000"))[1]["tries_left"] == WRONG_MAX
    for left in range(WRONG_MAX - 1, 0, -1):
        status, answer = await withdraw(me, 10 + left, signature=await signed(me, device, stranger))
        assert (status, answer["code"], answer["tries_left"]) == (401, "signature_bad", left)
        assert (await withdraw(me, 20 + left, signature=used))[0] == 410  # right, and used up
    status, locked = await withdraw(me, 30, signature=await signed(me, device, stranger) | {"signature": "no!"})
    assert (status, locked["code"]) == (423, "pay_locked")
    assert (await withdraw(me, 31, signature=await signed(me, device, phone)))[0] == 423
    assert (await withdraw(me, 32, password="123456"))[0] == 423


async def test_a_right_signature_forgives_what_was_wrong_before(me: Client, phone: Key) -> None:
    device = await ready(me, phone)
    for n in range(3):
        await withdraw(me, n, password="000000")
        assert (await withdraw(me, 10 + n, signature=await signed(me, device, phone)))[0] == 201


async def test_another_password_or_a_removal_silences_a_device(me: Client, phone: Key) -> None:
    device = await ready(me, phone)
    before = await signed(me, device, phone)
    assert (await change(me, "654321", "123456"))[0] == 200
    assert (await withdraw(me, 1, signature=before))[0] == 410
    assert (await challenge(me, device))[0] == 404
    assert (await me.send("GET", "/v1/wallet/devices"))[2]["data"] == []
    status, again = await register(me, phone, "654321")
    assert status == 201, again
    proof = await signed(me, again["id"], phone)
    assert (await me.send("DELETE", f"/v1/wallet/devices/{again['id']}"))[0] == 204
    assert (await me.send("DELETE", f"/v1/wallet/devices/{again['id']}"))[0] == 404
    assert (await withdraw(me, 2, signature=proof))[0] == 410


async def test_who_may_be_let_in(me: Client, phone: Key) -> None:
    assert (await register(me, phone))[1]["code"] == "pay_password_required"  # there is no password to sign instead of
    await put(me, "123456", await code(me))
    assert (await register(me, phone, "000000"))[1]["code"] == "pay_password_wrong"
    for bad in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())):
        assert (await register(me, bad))[1]["code"] == "device_key_bad"
    for text in ("AAAA", "no base64"):
        assert (await register(me, phone, public_key=text))[1]["code"] == "device_key_bad"
    assert (await register(me, phone))[0] == 201
    assert (await register(me, phone))[1]["code"] == "device_known"
    others = [ed25519.Ed25519PrivateKey.generate() for _ in range(DEVICES_MAX + 2)]
    answers = await asyncio.gather(*(register(me, other) for other in others))
    assert sorted(status for status, _ in answers) == [201] * (DEVICES_MAX - 1) + [409] * 3
    assert {one["code"] for status, one in answers if status == 409} == {"too_many_signing_devices"}


async def test_nobody_signs_with_anothers_challenge_or_device(me: Client, db: Database, phone: Key) -> None:
    device = await ready(me, phone)
    proof = await signed(me, device, phone)
    async with db.begin() as tx:
        await tx.execute("UPDATE wallet_challenges SET account_id = 'acc_other'")
    assert (await withdraw(me, 1, signature=proof))[0] == 410
    async with db.begin() as tx:
        await tx.execute("UPDATE wallet_devices SET account_id = 'acc_other'")
    assert (await challenge(me, device))[0] == 404
    assert (await me.send("DELETE", f"/v1/wallet/devices/{device}"))[0] == 404
