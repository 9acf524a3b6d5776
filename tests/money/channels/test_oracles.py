"""Our adapters and our simulator against other people's libraries: wechatpayv3 and python-alipay-sdk.

What they sign we believe, what we sign they believe, what they open we have sealed, and the other way round.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from alipay import AliPay
from hypothesis import given
from hypothesis import strategies as st
from wechatpayv3 import utils as oracle
from wechatpayv3.core import Core

from rest.money.channels import signing
from rest.money.channels.alipay import Alipay
from rest.money.channels.errors import BadSignature
from rest.money.channels.model import TradeState
from rest.money.channels.simulator import Identity, Simulator
from rest.money.channels.simulator.bank import Trade
from rest.money.channels.wechat import Wechat
from rest.money.channels.wiring import Channels
from storage.base.clock import ManualClock

words = st.text(st.characters(min_codepoint=33, max_codepoint=0x9FFF, exclude_categories=["Cs"]), max_size=20)


def pem(identity: Identity, name: str) -> str:
    return (identity.folder / f"{name}.pem").read_text()


@pytest.fixture
def core(identity: Identity) -> Core:
    """wechatpayv3 as the merchant, in public-key mode."""
    return Core(
        identity.merchant_id, identity.merchant_serial, pem(identity, "merchant"), identity.api_key.decode(),
        public_key=pem(identity, "platform.pub"), public_key_id=identity.platform_serial,
    )  # fmt: skip


@pytest.fixture
def sdk(identity: Identity) -> AliPay:
    """python-alipay-sdk as the merchant."""
    return AliPay(
        appid=identity.alipay_app_id, app_private_key_string=pem(identity, "merchant"),
        alipay_public_key_string=pem(identity, "platform.pub"), sign_type="RSA2",
    )  # fmt: skip


@pytest.fixture
def alipay_itself(identity: Identity) -> AliPay:
    """python-alipay-sdk in the place of Alipay: signs with the platform's key, checks with the merchant's."""
    return AliPay(
        appid=identity.alipay_app_id, app_private_key_string=pem(identity, "platform"),
        alipay_public_key_string=pem(identity, "merchant.pub"), sign_type="RSA2",
    )  # fmt: skip


def a_trade(channel: str, clock: ManualClock) -> Trade:
    at = clock.now() + timedelta(minutes=3)
    return Trade(
        channel=channel, number="pay_1", amount_fen=40_900, description="深层清洁 & 保养 #1+2", payer=None,
        notify_url="http://x", expires_at=at, asked=None,
    )  # fmt: skip


# WeChat Pay


@given(words, words, words)
def test_both_sign_the_same_text_alike(identity: Identity, at: str, nonce: str, body: str) -> None:
    text = signing.lines(at, nonce) + body.encode() + b"\n"
    ours = signing.sign(identity.merchant_key, text)
    assert ours == oracle.rsa_sign(identity.merchant_key, text.decode())
    assert oracle.rsa_verify(at, nonce, body, ours, identity.merchant_public)


@given(words, st.binary(max_size=300))
def test_both_open_what_the_other_has_sealed(identity: Identity, associated: str, plain: bytes) -> None:
    from base64 import b64encode

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    text, nonce = plain.hex(), "abcdefghijkl"
    sealed = signing.seal(identity.api_key, nonce, associated, text.encode())
    assert oracle.aes_decrypt(nonce, sealed, associated, identity.api_key.decode()) == text
    theirs = b64encode(AESGCM(identity.api_key).encrypt(nonce.encode(), plain, associated.encode())).decode()
    assert signing.unseal(identity.api_key, nonce, associated, theirs) == plain


def test_the_sdk_reads_our_simulators_notification_and_so_do_we(
    identity: Identity, core: Core, sim: Simulator, channels: Channels, clock: ManualClock
) -> None:
    trade = sim.bank.open(a_trade("wechat", clock))
    _, headers, raw = sim._sides["wechat"].news(sim.bank.pay(trade), at=clock.now())
    told = core.callback(headers, raw)
    assert told["event_type"] == "TRANSACTION.SUCCESS"
    assert (told["resource"]["out_trade_no"], told["resource"]["amount"]["total"]) == ("pay_1", 40_900)
    ours = channels.get("wechat").read_notification(headers, raw, clock.now())
    assert ours.trade is not None
    assert (ours.notify_id, ours.trade.trade_no) == (told["id"], told["resource"]["transaction_id"])
    assert (ours.trade.state, ours.trade.amount_fen, ours.trade.is_ours) == (TradeState.PAID, 40_900, True)


@pytest.mark.parametrize(
    "change", ["signature", "body", "serial", "nonce", "time", "no signature", "probe", "other key", "algorithm"]
)
def test_whatever_is_changed_neither_believes_it(  # noqa: PLR0917 - fixtures
    identity: Identity, core: Core, sim: Simulator, channels: Channels, clock: ManualClock, change: str
) -> None:
    trade = sim.bank.open(a_trade("wechat", clock))
    side = sim._sides["wechat"]
    _, headers, raw = side.news(sim.bank.pay(trade), at=clock.now())
    if change in {"signature", "probe"}:
        start = "WECHATPAY/SIGNTEST/" if change == "probe" else "AAAA"
        headers["Wechatpay-Signature"] = start + headers["Wechatpay-Signature"][len(start) :]
    elif change == "no signature":
        headers["Wechatpay-Signature"] = ""
    elif change == "body":
        raw = raw.replace(b"simulated", b"Simulated")
    elif change == "serial":
        headers["Wechatpay-Serial"] = "ABCDEF"
    elif change == "nonce":
        headers["Wechatpay-Nonce"] += "0"
    elif change == "time":
        headers["Wechatpay-Timestamp"] = str(int(headers["Wechatpay-Timestamp"]) + 1)
    elif change == "other key":
        headers["Wechatpay-Signature"] = signing.sign(identity.merchant_key, raw)
    else:
        raw = raw.replace(b"AEAD_AES_256_GCM", b"AEAD_AES_128_GCM")
        headers |= side.signed(raw, at=clock.now())
    with pytest.raises(BadSignature):
        channels.get("wechat").read_notification(headers, raw, clock.now())
    core._update_certificates = lambda: None  # it would ask the real WeChat for more keys
    theirs = None
    try:
        theirs = core.callback(headers, raw)
    except Exception as refused:
        assert "algorithm" in str(refused)
    assert theirs in (None, False)


@pytest.mark.parametrize(("off_s", "is_good"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_a_message_is_believed_for_five_minutes(
    sim: Simulator, channels: Channels, clock: ManualClock, off_s: int, is_good: bool
) -> None:
    """The SDK does not look at the time at all."""
    trade = sim.bank.open(a_trade("wechat", clock))
    at = clock.now() + timedelta(seconds=off_s)
    _, headers, raw = sim._sides["wechat"].news(sim.bank.pay(trade), at=at)
    if is_good:
        assert channels.get("wechat").read_notification(headers, raw, clock.now()).nonce
    else:
        with pytest.raises(BadSignature):
            channels.get("wechat").read_notification(headers, raw, clock.now())


async def test_the_simulator_believes_requests_of_the_sdk(
    identity: Identity, core: Core, sim: Simulator, clock: ManualClock
) -> None:
    import asyncio

    from wechatpayv3.type import RequestType

    core._gate_way = sim.url
    body = {
        "appid": identity.wechat_app_id, "mchid": identity.merchant_id, "description": "清洁", "out_trade_no": "pay_9",
        "time_expire": (clock.now() + timedelta(minutes=5)).isoformat(), "notify_url": "http://x",
        "amount": {"total": 1, "currency": "CNY"},
    }  # fmt: skip
    path = "/v3/pay/transactions/native"
    status, told = await asyncio.to_thread(core.request, path, method=RequestType.POST, data=body)
    assert (status, json.loads(told)) == (200, {"code_url": "weixin://wxpay/bizpayurl?pr=pay_9"})
    query = f"/v3/pay/transactions/out-trade-no/pay_9?mchid={identity.merchant_id}"
    status, told = await asyncio.to_thread(core.request, query)
    assert (status, json.loads(told)["trade_state"]) == (200, "NOTPAY")


def test_the_authorisation_of_a_request_is_the_sdks(identity: Identity, channels: Channels) -> None:
    """Same moment, same nonce, same body: the same header."""
    import re

    adapter = channels.get("wechat")
    assert isinstance(adapter, Wechat)
    adapter._clock = ManualClock(datetime.fromtimestamp(int(time.time()), UTC))
    path, body = "/v3/pay/transactions/native", '{"out_trade_no":"pay_1","description":"清洁"}'
    for _ in range(5):  # the second may change between the two
        adapter._clock = ManualClock(datetime.fromtimestamp(int(time.time()), UTC))
        ours = adapter._authorization("POST", path, body.encode())
        nonce = re.search(r'nonce_str="(\w+)"', ours)
        assert nonce is not None
        theirs = oracle.build_authorization(
            path, "POST", identity.merchant_id, identity.merchant_serial, identity.merchant_key, body, nonce[1]
        )
        if ours == theirs:
            return
    assert ours == theirs


async def test_the_payment_call_of_a_phone_is_signed_as_the_sdk_would(
    core: Core, identity: Identity, channels: Channels
) -> None:
    adapter = channels.get("wechat")
    assert isinstance(adapter, Wechat)
    params = adapter._for_jsapi("wx123")
    parts = [identity.wechat_app_id, params["timeStamp"], params["nonceStr"], params["package"]]
    assert params["paySign"] == core.sign(parts)


# Alipay


@given(st.dictionaries(st.sampled_from(["b", "a", "c_d", "total_amount", "subject"]), words.filter(bool), min_size=1))
def test_both_sign_the_same_fields_alike(identity: Identity, fields: dict[str, str]) -> None:
    sdk = AliPay(
        appid="1", app_private_key_string=pem(identity, "merchant"),
        alipay_public_key_string=pem(identity, "merchant.pub"), sign_type="RSA2",
    )  # fmt: skip
    ours = signing.sign(identity.merchant_key, signing.pairs(fields))
    assert sdk.verify(dict(fields), ours)
    theirs = dict(parse_qsl(sdk.sign_data(dict(fields)), keep_blank_values=True))["sign"]
    assert theirs == ours


def test_the_sdk_reads_our_simulators_news_and_so_do_we(
    sdk: AliPay, sim: Simulator, channels: Channels, clock: ManualClock
) -> None:
    trade = sim.bank.open(a_trade("alipay", clock))
    _, headers, raw = sim._sides["alipay"].news(sim.bank.pay(trade), at=clock.now())
    fields = dict(parse_qsl(raw.decode()))  # leaves out what is empty, as the signature does
    assert sdk.verify(fields, fields.pop("sign"))
    ours = channels.get("alipay").read_notification(headers, raw, clock.now())
    assert ours.trade is not None
    assert (ours.trade.out_trade_no, ours.trade.amount_fen, ours.trade.state) == ("pay_1", 40_900, TradeState.PAID)
    assert ours.trade.is_ours


def test_we_read_what_the_sdk_signs_as_alipay(
    alipay_itself: AliPay, identity: Identity, channels: Channels, clock: ManualClock
) -> None:
    fields: dict[str, Any] = {
        "notify_id": "n1", "out_trade_no": "pay_1", "trade_no": "2026", "trade_status": "TRADE_SUCCESS",
        "total_amount": "409.00", "app_id": identity.alipay_app_id, "seller_id": identity.seller_id,
        "subject": "清 洁&=+",
    }  # fmt: skip
    raw = alipay_itself.sign_data(fields) + "&sign_type=RSA2"
    told = channels.get("alipay").read_notification({}, raw.encode(), clock.now())
    assert told.trade is not None
    assert (told.trade.amount_fen, told.trade.is_ours) == (40_900, True)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b"409.00", b"409.01"),
        lambda raw: raw.replace(b"&sign=", b"&sign=AAAA"),
        lambda raw: raw + b"&total_amount=1.00",
        lambda raw: raw + b"&extra=1",
        lambda raw: raw.replace(b"sign_type=RSA2", b"sign_type=RSA"),
        lambda raw: raw.replace(b"&sign_type=RSA2", b""),
        lambda _raw: b"",
        lambda _raw: b"\xff\xfe",
        lambda _raw: b"&".join(b"a%d=1" % n for n in range(500)),
    ],
    ids=["amount", "signature", "a field twice", "one more field", "weaker", "no type", "nothing", "bytes", "many"],
)
def test_changed_news_of_alipay_is_refused(sim: Simulator, channels: Channels, clock: ManualClock, change: Any) -> None:
    trade = sim.bank.open(a_trade("alipay", clock))
    _, headers, raw = sim._sides["alipay"].news(sim.bank.pay(trade), at=clock.now())
    with pytest.raises(BadSignature):
        channels.get("alipay").read_notification(headers, change(raw), clock.now())


async def test_the_sdk_reads_answers_of_our_simulator_and_the_simulator_its_requests(
    sdk: AliPay, sim: Simulator, clock: ManualClock
) -> None:
    import asyncio

    sdk._gateway = f"{sim.url}/gateway.do"
    until = (clock.now() + timedelta(hours=9)).strftime("%Y-%m-%d %H:%M:%S")
    made = await asyncio.to_thread(
        sdk.api_alipay_trade_precreate, "清洁", "pay_7", "1.00", notify_url="http://x", time_expire=until
    )
    assert (made["code"], made["qr_code"]) == ("10000", "https://qr.alipay.example/pay_7")
    found = await asyncio.to_thread(sdk.api_alipay_trade_query, out_trade_no="pay_7")
    assert (found["trade_status"], found["total_amount"]) == ("WAIT_BUYER_PAY", "1.00")


def test_an_answer_is_read_from_what_was_signed(identity: Identity, channels: Channels) -> None:
    """A second node of the same name, which a parser would prefer, is not what the signature covers."""
    adapter = channels.get("alipay")
    assert isinstance(adapter, Alipay)
    good = '{"code": "10000", "trade_no": "1"}'
    signed = signing.sign(identity.platform_key, good.encode())
    forged = f'{{"a_response": {good}, "a_response": {{"code": "10000", "trade_no": "2"}}, "sign": "{signed}"}}'
    assert adapter._read("a_response", forged.encode())["trade_no"] == "1"
    with pytest.raises(BadSignature):
        adapter._read("a_response", forged.replace('"trade_no": "1"', '"trade_no": "3"').encode())
    with pytest.raises(BadSignature):
        adapter._read("a_response", f'{{"a_response": {good}}}'.encode())
