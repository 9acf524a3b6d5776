"""Wherever the wallet pays, the payment password or a device's signature is asked for (RV-041, RV-043)."""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rest.money import passwords
from rest.money.passwords.hashing import new_salt, slow_hash
from rest.money.signing import Action, actions
from tests.conftest import SECRET
from tests.money.channels.conftest import Till
from tests.money.channels.test_points_mall import ANN, faults, have, product, redeem, rich
from tests.money.channels.test_topups import ask
from tests.money.members_book import publish

PHONE = Ed25519PrivateKey.generate()


async def device(till: Till) -> str:
    salt = new_salt()
    await till.db.run(passwords.actions.put, ANN, salt, await slow_hash("123456", salt, SECRET))
    key = PHONE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return (await till.db.run(actions.register, ANN, name="Phone", key=key, salt=salt)).id


async def signed(till: Till, device_id: str, action: str, subject: str, fen: int) -> Any:
    made = await till.db.run(
        actions.challenge, ANN, device_id=device_id, action=Action(action), subject=subject, amount_fen=fen, nonce="n"
    )
    signature = base64.b64encode(PHONE.sign(made.message.encode())).decode()
    return {"challenge_id": made.id, "signature": signature}


async def test_products_and_levels_for_money_of_the_wallet(till: Till) -> None:
    await rich(till, fen=50_000)
    phone, cup, level = await device(till), await product(till, cash_fen=500, per_account_max=9), await publish(till.db)
    assert (await redeem(till, cup, method="wallet"))[2]["code"] == "pay_password_required"
    assert (await redeem(till, cup, method="wallet", password="000000"))[2]["code"] == "pay_password_wrong"
    assert (await redeem(till, cup, method="wallet", password="123456"))[0] == 201
    for subject, fen, status in ((cup, 499, 401), (level.code, 500, 401), (cup, 500, 201)):
        proof = await signed(till, phone, "redeem", subject, fen)
        assert (await redeem(till, cup, method="wallet", signature=proof))[0] == status
    assert await have(till) == (400, 0)

    path = f"/v1/member_levels/{level.code}/buy"
    body = {"version": level.version, "method": "wallet"}
    assert (await ask(till, "cust1", "POST", path, body))[2]["code"] == "pay_password_required"
    proof = await signed(till, phone, "membership", level.code, 3_000)
    status, _, bought = await ask(till, "cust1", "POST", path, body | {"signature": proof})
    assert (status, bought["state"]) == (201, "paid"), bought
    again = f"/v1/memberships/{level.line}/renew"
    assert (await ask(till, "cust1", "POST", again, body | {"signature": proof}))[2]["code"] == "challenge_expired"
    assert await faults(till) == []


async def test_an_order_is_paid_by_what_was_signed_for_it(till: Till) -> None:
    await rich(till, fen=100_000)
    phone, tech = await device(till), await till.town.technician()
    job = await till.town.post(ANN)
    job = await till.town.choose(job, await till.town.grab(job, tech))
    path, fen = f"/v1/orders/{job.order.id}/pay", 40_900
    assert (await ask(till, "cust1", "POST", path, {"method": "wallet"}))[2]["code"] == "pay_password_required"
    for amount in (fen - 1, fen + 1):
        proof = await signed(till, phone, "pay", job.order.id, amount)
        status, _, answer = await ask(till, "cust1", "POST", path, {"method": "wallet", "signature": proof})
        assert (status, answer["code"]) == (401, "signature_bad")
    assert (await till.town.wallet(ANN), await till.states(job)) == (100_000, [])
    proof = await signed(till, phone, "pay", job.order.id, fen)
    body = {"order_id": job.order.id, "tenders": [{"method": "wallet"}], "signature": proof}
    status, _, paid = await ask(till, "cust1", "POST", "/v1/payments", body)
    assert (status, await till.town.wallet(ANN)) == (201, 100_000 - fen), paid
    assert await faults(till) == []
