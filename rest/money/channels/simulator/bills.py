"""The bills of the pretended channels: their day in the files of the real ones, with faults on request."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from rest.money.channels.simulator.bank import Bank
from storage.base.clock import BUSINESS_ZONE, business_day, day_begins, wall_time
from storage.base.money import yuan

READY_AT = {"wechat": time(10), "alipay": time(9)}
"""When the bill of yesterday is there."""
FAULTS = ("missing", "extra", "amount", "fee", "state", "date", "twice", "merchant")
"""Of one line: left out, made up, another amount, fee, state or day, twice, of another merchant."""
OTHER_MERCHANT = {"wechat": "1900000999", "alipay": "2088000000000999"}
FEE_BPS = 60

_WECHAT = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,"
    "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
_WECHAT_SUMS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
_ALIPAY = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,"
    "支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that happened, as a bill tells it. `refund` is our number of it, None for a payment."""

    number: str
    trade_no: str
    amount_fen: int
    fee_fen: int
    at: datetime
    merchant: str
    refund: str | None = None
    refund_id: str = ""
    state: str = "SUCCESS"
    subject: str = ""


def fee(amount_fen: int) -> int:
    """What a channel keeps, half a fen up."""
    return (amount_fen * FEE_BPS + 5_000) // 10_000


def is_ready(bank: Bank, channel: str, day: date) -> bool:
    """Whether its hour has come, and nothing holds it up."""
    due_at = datetime.combine(day + timedelta(days=1), READY_AT[channel], BUSINESS_ZONE)
    if bank.faults[f"{channel}.bill_late"] > 0:
        bank.faults[f"{channel}.bill_late"] -= 1
        return False
    return bank.now >= due_at


def items(bank: Bank, channel: str, merchant: str, day: date) -> list[Item]:
    """The day's business, by time, with the faults that were asked for."""
    bank.age()
    told = [changed for item in _done(bank, channel, merchant) for changed in _faulty(bank, channel, item)]
    told += [_made_up(channel, merchant, day, n) for n in range(bank.faults[f"{channel}.bill_extra"])]
    return sorted((item for item in told if business_day(item.at) == day), key=lambda item: (item.at, item.trade_no))


def _done(bank: Bank, channel: str, merchant: str) -> Iterator[Item]:
    for trade in bank.trades.values():
        if trade.channel != channel or trade.paid_at is None:
            continue
        whose = str(trade.told.get("mchid") or trade.told.get("seller_id") or merchant)
        paid = Item(
            number=trade.number, trade_no=trade.trade_no or "", amount_fen=trade.paid_fen, fee_fen=fee(trade.paid_fen),
            at=trade.paid_at, merchant=whose, subject=trade.description,
        )  # fmt: skip
        yield paid
        for refund in trade.refunds.values():
            yield replace(
                paid, refund=refund.number, refund_id=refund.refund_id, amount_fen=refund.amount_fen,
                fee_fen=-fee(refund.amount_fen), at=refund.made_at, state="SUCCESS" if refund.is_done else "PROCESSING",
            )  # fmt: skip


def _faulty(bank: Bank, channel: str, item: Item) -> list[Item]:
    fault = bank.bill_faults.get((channel, item.refund or item.number))
    if fault is None:
        return [item]
    return {
        "missing": [],
        "amount": [replace(item, amount_fen=item.amount_fen + 100, fee_fen=_fee_of(item, 100))],
        "fee": [replace(item, fee_fen=item.fee_fen + 7)],
        "state": [replace(item, state="ABNORMAL")],
        "date": [replace(item, at=item.at + timedelta(days=1))],
        "twice": [item, item],
        "merchant": [replace(item, merchant=OTHER_MERCHANT[channel])],
    }[fault]


def _fee_of(item: Item, more_fen: int) -> int:
    """The fee of an item with another amount."""
    return fee(item.amount_fen + more_fen) * (1 if item.refund is None else -1)


def _made_up(channel: str, merchant: str, day: date, n: int) -> Item:
    at = day_begins(day) + timedelta(hours=12)
    number = f"{channel}{day:%Y%m%d}{n:04}"
    return Item(
        number=f"x{number}", trade_no=f"4299{number}", amount_fen=1_234, fee_fen=fee(1_234), at=at, merchant=merchant
    )


# WeChat


def wechat_file(told: list[Item], app_id: str, *, packed: bool) -> tuple[bytes, bytes]:
    """The bill itself, which its digest is of, and what is sent."""
    rows = [_WECHAT, *(_wechat_row(item, app_id) for item in told)]
    paid = sum(item.amount_fen for item in told if item.refund is None)
    back = sum(item.amount_fen for item in told if item.refund is not None)
    fees = sum(item.fee_fen for item in told)
    rows += [_WECHAT_SUMS, _ticked(len(told), yuan(paid), yuan(back), "0.00", _long(fees), yuan(paid), yuan(back))]
    raw = "".join(row + "\r\n" for row in rows).encode()
    return raw, gzip.compress(raw, 1) if packed else raw


def _wechat_row(item: Item, app_id: str) -> str:
    is_refund = item.refund is not None
    paid, back = ("0.00", yuan(item.amount_fen)) if is_refund else (yuan(item.amount_fen), "0.00")
    state = "REFUND" if is_refund else "SUCCESS" if item.state == "SUCCESS" else "REVOKED"
    return _ticked(
        wall_time(item.at), app_id, item.merchant, "0", "", item.trade_no, item.number, "oUser", "NATIVE", state,
        "OTHERS", "CNY", paid, "0.00", item.refund_id if is_refund else "0", item.refund or "0", back, "0.00",
        "ORIGINAL" if is_refund else "", item.state if is_refund else "", item.subject, "", _long(item.fee_fen),
        "0.60%", paid, back, "",
    )  # fmt: skip


def _ticked(*values: object) -> str:
    return ",".join(f"`{value}" for value in values)


def _long(fen: int) -> str:
    return f"{yuan(fen)}000"


# Alipay


def alipay_file(told: list[Item], seller_id: str, day: date) -> bytes:
    """A zip with a file of lines for each account, and a file of sums that nobody reads."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for account in dict.fromkeys([seller_id, *(item.merchant for item in told)]):
            lines = [item for item in told if item.merchant == account]
            out.writestr(f"{account}0156_{day:%Y%m%d}_业务明细.csv", _alipay_csv(lines, account, day))
        out.writestr(f"{seller_id}0156_{day:%Y%m%d}_业务明细(汇总).csv", "#支付宝业务汇总查询\r\n".encode("gb18030"))
    return packed.getvalue()


def _alipay_csv(lines: list[Item], account: str, day: date) -> bytes:
    out = io.StringIO(newline="")
    begin, end = day.strftime("%Y年%m月%d日"), (day + timedelta(days=1)).strftime("%Y年%m月%d日")
    out.write(f"#支付宝业务明细查询\r\n#账号：[{account}0156]\r\n")
    out.write(f"#起始日期：[{begin} 00:00:00]   终止日期：[{end} 00:00:00]\r\n")
    out.write(f"#{'-' * 41}业务明细列表{'-' * 41}\r\n{_ALIPAY}\r\n")
    csv.writer(out).writerows([f"{value}\t" for value in _alipay_row(item)] for item in lines)
    paid = [item.amount_fen for item in lines if item.refund is None]
    back = [item.amount_fen for item in lines if item.refund is not None]
    out.write(f"#{'-' * 41}业务明细列表结束{'-' * 41}\r\n")
    out.write(f"#交易合计：{len(paid)}笔，商家实收共{yuan(sum(paid))}元，商家优惠共0.00元\r\n")
    out.write(f"#退款合计：{len(back)}笔，商家实收退款共-{yuan(sum(back))}元，商家优惠退款共0.00元\r\n")
    return out.getvalue().encode("gb18030")


def _alipay_row(item: Item) -> list[str]:
    is_refund = item.refund is not None
    amount = ("-" if is_refund else "") + yuan(item.amount_fen)
    charge = yuan(-item.fee_fen)
    zeros = ["0.00"] * 5
    return [
        item.trade_no, item.number, "退款" if is_refund else "交易", item.subject, wall_time(item.at),
        wall_time(item.at), "", "", "", "", "*用户(use***@x.example)", amount, amount, *zeros, "", "0.00", "0.00",
        item.refund or "", charge, "0.00", "",
    ]  # fmt: skip
