"""What notices say, in Chinese and English. Pure: a kind and what it is about in, a title and a body out.

Bodies go through other companies' hands (push, text messages), so they name no person but those who serve, no place and
nothing anybody has said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from rest.edge.wording import TAGS

LANGUAGES = tuple(TAGS)


class Words(NamedTuple):
    title: str
    body: str


TABLE: Mapping[str, Mapping[str, Words]] = {
    kind: {"zh": Words(*zh), "en": Words(*en)}
    for kind, zh, en in (
        ("offer.made", ("附近有新订单", "距您 {km} 公里，{start} 开始，快来抢单"),
         ("A new order nearby", "{km} km away, starting {start}. Grab it now.")),
        ("order.offered", ("您有一笔已付款的新订单", "{item}，{start} 开始，{amount} 元，请在 {until} 前确认"),
         ("A paid order is waiting for you", "{item}, starting {start}, {amount} yuan. Answer before {until}.")),
        ("grab.added", ("有师傅愿意接单", "请打开订单选择您满意的师傅"),
         ("A technician is ready", "Open your order and choose who shall come.")),
        ("grab.locked", ("客户选择了您", "客户正在付款，请等待至 {until}"),
         ("You were chosen", "The customer is paying. Please wait until {until}.")),
        ("grab.won", ("抢单成功", "客户已付款，请按时上门"), ("The order is yours", "The customer has paid.")),
        ("grab.lost", ("此单已由其他师傅承接", "感谢参与，更多订单等着您"),
         ("The order went to somebody else", "Thank you; there will be others.")),
        ("order.accepted", ("师傅已接单", "师傅将按约定时间上门"),
         ("Your order was accepted", "The technician will come at the agreed time.")),
        ("order.departed", ("师傅已出发", "可在订单页查看师傅的实时位置"),
         ("The technician is on the way", "Follow the live position in your order.")),
        ("order.arrived", ("师傅已到达", "请为师傅开门并出示服务码"),
         ("The technician has arrived", "Please open the door and show the service code.")),
        ("order.started", ("服务已开始", "服务计时已开始"), ("The service has begun", "The clock is running.")),
        ("order.time_up", ("服务时间已到", "请确认服务是否完成"),
         ("The service time is over", "Please confirm that the service has ended.")),
        ("order.ended", ("客户确认服务结束", "请整理好物品后离开"),
         ("The customer has ended the service", "Please gather your things and leave.")),
        ("order.left_confirmed", ("客户确认您已离开", "请完成订单"),
         ("The customer confirmed that you left", "Please complete the order.")),
        ("order.completed", ("订单已完成", "欢迎评价本次服务"),
         ("Your order is complete", "Tell us how it was.")),
        ("order.choose_now", ("请选择师傅", "已有师傅等候您的选择"),
         ("Please choose a technician", "Technicians are waiting for your choice.")),
        ("order.unbound", ("付款超时", "已为您释放师傅，请重新选择"),
         ("The time to pay is over", "The technician was released. Please choose again.")),
        ("order.cancel_asked", ("客户申请取消订单", "客服正在处理，请留意结果"),
         ("The customer wants to cancel", "Support is on it. Please wait for the outcome.")),
        ("order.goes_on", ("订单继续进行", "请按订单约定继续"), ("The order goes on", "Please go on as agreed.")),
        ("order.technician_changed", ("服务师傅已更换", "请打开订单查看"),
         ("The technician has changed", "Open the order to see.")),
        ("order.called_off", ("订单已终止", "请打开订单查看处理结果"),
         ("The order was called off", "Open the order to see what follows.")),
        ("wait.started", ("师傅联系不上您", "师傅已在门口，将等待至 {until}"),
         ("The technician cannot reach you", "The technician is at your door and waits until {until}.")),
        ("wait.over", ("等待时间已到", "您可以离开"), ("You have waited long enough", "You may leave.")),
        ("payment.paid", ("付款成功", "已收到 {amount} 元"), ("Paid", "We received {amount} yuan.")),
        ("payment.failed", ("付款未成功", "{amount} 元未能支付，请重试"),
         ("The payment failed", "{amount} yuan could not be paid. Please try again.")),
        ("payment.returned", ("退款已发起", "{amount} 元将原路退回"),
         ("Money is on its way back", "{amount} yuan will return the way they came.")),
        ("transfer.confirmed", ("转账已确认", "已收到 {amount} 元"),
         ("Your transfer was confirmed", "We received {amount} yuan.")),
        ("transfer.rejected", ("转账未通过", "{amount} 元的转账凭证未通过审核"),
         ("Your transfer was not accepted", "We could not confirm {amount} yuan.")),
        ("refund.asked", ("客户申请退款", "申请金额 {amount} 元，请说明情况"),
         ("The customer asks for a refund", "{amount} yuan. Please tell us what happened.")),
        ("refund.executed", ("退款已通过", "退款金额 {amount} 元"), ("The refund was made", "{amount} yuan.")),
        ("refund.rejected", ("退款申请未通过", "申请金额 {amount} 元，详情请看订单"),
         ("The refund was refused", "{amount} yuan. See your order for details.")),
        ("settlement.done", ("订单已结算", "收入 {amount} 元，{since} 起可用"),
         ("An order was settled", "{amount} yuan are yours, to spend from {since}.")),
        ("settlement.changed", ("结算金额有变动", "变动 {amount} 元"),
         ("A settlement has changed", "By {amount} yuan.")),
        ("wallet.credited", ("钱包入账", "入账 {amount} 元"), ("Your wallet was credited", "{amount} yuan.")),
        ("wallet.device_added",
         ("新设备已可验证支付", "{device} 于 {since} 开通，如非本人操作请立即移除并修改支付密码"),
         ("A new device may sign your payments",
          "{device}, since {since}. If that was not you, remove it and change the payment password.")),
        ("withdrawal.confirmed", ("提现已到账", "提现 {amount} 元已到账"),
         ("Your withdrawal has arrived", "{amount} yuan.")),
        ("withdrawal.refused", ("提现未成功", "{amount} 元已退回钱包"),
         ("Your withdrawal did not go through", "{amount} yuan are back in your wallet.")),
        ("penalty.booked", ("订单产生违约金", "违约金 {amount} 元，详情请看订单"),
         ("A penalty was booked", "{amount} yuan. See the order for details.")),
        ("penalty.reversed", ("违约金已退回", "违约金 {amount} 元已退回"),
         ("A penalty was taken back", "{amount} yuan went back.")),
        ("topup.paid", ("充值成功", "已到账 {amount} 元"), ("Topped up", "{amount} yuan are there.")),
        ("invoice.issued", ("发票已开具", "金额 {amount} 元，可下载"),
         ("Your invoice is ready", "{amount} yuan. You can download it.")),
        ("invoice.rejected", ("发票申请未通过", "金额 {amount} 元，请查看原因"),
         ("Your invoice was refused", "{amount} yuan. See the reason.")),
        ("coupon.given", ("您收到一张优惠券", "{name}，有效期至 {until}"),
         ("A coupon for you", "{name}, valid until {until}.")),
        ("points.expiring", ("积分即将到期", "{points} 积分将于 {until} 到期"),
         ("Points end soon", "{points} points end at {until}.")),
        ("purchase.delivered", ("积分商品已发货", "请留意查收"), ("Your purchase was delivered", "Enjoy it.")),
        ("referral.joined", ("有人接受了您的邀请", "{name} 已加入"), ("Your invitation was taken", "{name} joined.")),
        ("voucher.used_up", ("代金券已用完", "可重新设置数量"), ("A voucher is used up", "You can offer more.")),
        ("export.ended", ("导出已完成", "文件可供下载"), ("Your export is ready", "You can download the file.")),
        ("support.assigned", ("客服已接入", "客服 {agent} 为您服务"),
         ("Support is here", "{agent} is looking after you.")),
        ("support.resolved", ("您的问题已处理", "如仍有疑问请继续留言"),
         ("Your question was answered", "Write again if anything is open.")),
        ("rating.asked", ("请评价本次服务", "您的评价帮助我们改进"), ("How was it?", "Please rate our support.")),
        ("feedback.answered", ("您的反馈已回复", "请打开反馈查看"),
         ("Your feedback was answered", "Open it to read the answer.")),
        ("case.safety", ("紧急求助", "有人请求帮助，请立即处理"), ("Somebody asks for help", "Act at once: {title}")),
        ("case.payment_failed", ("付款失败", "订单付款失败，请跟进"), ("A payment failed", "Follow up: {title}")),
        ("case.opened", ("新工单", "有新工单待处理"), ("A new case", "{title}")),
        ("case.raised", ("工单升级", "工单长时间无人处理"), ("A case was raised", "Nobody took it: {title}")),
        ("thread.offered", ("新会话待接入", "请在 {until} 前接入"), ("A chat for you", "Accept it before {until}.")),
        ("promise.broken", ("服务时限已超", "会话已超过承诺时限"),
         ("A promise of time was broken", "A conversation is overdue.")),
        ("chat.waiting", ("新消息", "您有 {count} 条未读消息"), ("New messages", "{count} messages are waiting.")),
        ("broadcast.sent", ("{title}", "{body}"), ("{title}", "{body}")),
    )
}  # fmt: skip

NAMES: Mapping[str, Mapping[str, str]] = {"broadcast.sent": {"zh": "公告与活动", "en": "News and offers"}}
"""Of kinds whose title says nothing without what it is about."""


def name(kind: str, language: str) -> str:
    """What the kind is called where people say what they want to be told."""
    return NAMES[kind][language] if kind in NAMES else TABLE[kind][language].title


DIGEST: Mapping[str, Words] = {
    "zh": Words("您有 {count} 条新通知", "最近一条：{title}"),
    "en": Words("{count} new notices", "The last one: {title}"),
}
"""Of many that waited for the end of quiet hours."""


Published = Mapping[tuple[str, str], Words]
"""What the operator has kinds say instead, by kind and language."""

USUAL: Published = {}


def say(
    kind: str, about: Mapping[str, Any], language: str, *, stands_for: int = 1, published: Published = USUAL
) -> Words:
    """Title and body in this language. Kinds of a newer version of us say their name."""
    words = published.get((kind, language)) or TABLE.get(kind, {}).get(language, Words(kind, ""))
    spoken = defaultdict(str, values(about, language))
    told = Words(words.title.format_map(spoken), words.body.format_map(spoken))
    if stands_for == 1:
        return told
    digest = DIGEST[language]
    return Words(digest.title.format(count=stands_for), digest.body.format(title=told.title))


def values(about: Mapping[str, Any], language: str) -> dict[str, str]:
    """What it is about, each thing in this language."""
    return {name: _spoken(value, language) for name, value in about.items()}


def in_all(
    kind: str, about: Mapping[str, Any], published: Published = USUAL
) -> tuple[dict[str, str], dict[str, str]]:
    """Titles and bodies by language tag."""
    said = {TAGS[language]: say(kind, about, language, published=published) for language in LANGUAGES}
    return {tag: words.title for tag, words in said.items()}, {tag: words.body for tag, words in said.items()}


def _spoken(value: Any, language: str) -> str:  # noqa: ANN401 - JSON
    """A value, or of one by language the text in this one, or in any."""
    if isinstance(value, Mapping):
        found = value.get(TAGS[language]) or value.get(language) or next(iter(value.values()), "")
        return str(found)
    return str(value)
