"""Titles of refusals for people, in Chinese and English. Codes are never translated."""

from __future__ import annotations

import re

from storage.base.errors import HubError

ZH = {
    "account_closed": "账号已停用",
    "agent_full": "该客服已无空闲名额",
    "agent_off_duty": "该客服不在班",
    "agent_state": "客服当前状态不允许此操作",
    "already_answered": "订单已答复",
    "already_bound": "该技师已有推荐人",
    "already_grabbed": "您已抢过此单",
    "already_reversed": "该笔分账已冲正",
    "already_taken": "已有其他客服受理",
    "amount_range": "金额超出允许范围",
    "answered_meanwhile": "其他客服刚刚已回复，请先查看",
    "area_file_invalid": "区域文件无法导入",
    "area_not_found": "区域不存在",
    "bad_request": "请求不符合 HTTP 规范",
    "bad_signature": "签名无效",
    "bank_ref_used": "该银行流水号已用于其他提现",
    "below_minimum": "低于最低提现金额",
    "busy": "系统繁忙，请稍后再试",
    "calendar_invalid": "营业时间设置有误",
    "candidate_gone": "该师傅已不可选",
    "cap_below_load": "该客服手上的会话多于此上限",
    "case_not_open": "没有待处理的此类工单",
    "channel_state": "该渠道款项状态不允许此操作",
    "code_expired": "验证码已过期，请重新获取",
    "code_invalid": "服务码错误",
    "code_used": "服务码已使用",
    "code_wrong": "验证码错误",
    "conversation_closed": "会话已结束",
    "conversation_state": "会话状态不允许此操作",
    "coupon_gift_limit": "超出客服单次可赠券额度",
    "coupon_limit": "您的领券数量已达上限",
    "coupon_locked": "优惠券已被其他订单占用",
    "coupon_not_applicable": "该优惠券不适用于此订单",
    "coupon_not_open": "该优惠券暂不可领取",
    "coupon_quota": "发行量不能少于已发放数量",
    "coupon_sold_out": "优惠券已领完",
    "coupon_stacking": "优惠不可叠加使用",
    "coupon_state": "优惠券状态不允许此操作",
    "coupon_terms_fixed": "优惠券已发放，规则不可再改",
    "coupon_terms_invalid": "优惠券规则有误",
    "crs_unknown": "坐标系必须是 wgs84 或 gcj02",
    "cursor_invalid": "分页游标无效",
    "day_limit": "超出当日提现限额",
    "expectation_failed": "不支持的 Expect 请求头",
    "file_quota": "今日上传量已达上限",
    "file_taken": "该文件已用于其他事项",
    "file_type": "仅支持 JPEG、PNG、WebP 图片",
    "fix_invalid": "定位数据格式错误",
    "forbidden": "没有权限",
    "hours_invalid": "工作时间设置有误",
    "idempotency_in_progress": "相同的请求正在处理中",
    "idempotency_key_invalid": "幂等键格式错误",
    "idempotency_key_required": "缺少幂等键",
    "insufficient_balance": "余额不足",
    "internal": "服务器内部错误",
    "invalid_input": "输入有误",
    "invalid_state": "当前状态不允许此操作",
    "key_reused": "幂等键已用于其他请求",
    "line_state": "该笔分账的状态不允许此操作",
    "link_dead": "链接已失效",
    "locked": "已锁定其他师傅，请稍后",
    "login_required": "请先登录",
    "malformed_json": "JSON 格式错误",
    "message_empty": "消息内容为空或不完整",
    "message_fixed": "该消息已不能修改或撤回",
    "message_too_long": "消息不能超过 4000 字",
    "method_not_allowed": "不支持的请求方法",
    "method_unavailable": "该订单不支持此支付方式",
    "not_a_worker": "该账号不是师傅",
    "not_active": "师傅账号未启用",
    "not_adjustable": "平台份额随其他份额变动，不能单独调整",
    "not_assignee": "该会话由其他客服处理",
    "not_confirmed": "客户尚未确认离开",
    "not_eligible": "您不符合接单条件",
    "not_found": "内容不存在",
    "note_required": "请填写转接说明",
    "nothing_sought": "没有可搜索的内容",
    "offer_closed": "该派单已结束",
    "offer_gone": "该会话已分配给他人或已超时",
    "order_gone": "订单已被抢走或已取消",
    "other_session": "连接只能由原会话续期",
    "own_admin_role": "不能移除自己的管理员角色",
    "own_order": "不能接自己下的订单",
    "own_withdrawal": "不能处理自己的提现",
    "payload_too_large": "请求内容过大",
    "payment_state": "支付状态不允许此操作",
    "phone_invalid": "手机号格式错误",
    "picture_unreadable": "图片无法识别或过大",
    "place_missing": "请提供位置或区域编码",
    "position_invalid": "经纬度超出范围",
    "position_unknown": "尚无您的位置，请打开地图后重试",
    "price_changed": "价格已变动，请确认新价格",
    "queue_invalid": "客服队列设置有误",
    "radius_range": "接单半径须为 1 至 100 公里",
    "rate_limited": "请求过于频繁，请稍后再试",
    "rating_closed": "评价已提交，不可再修改",
    "rating_denied": "客服人员不能评价",
    "rating_token_invalid": "评价链接无效",
    "read_only": "您在此会话中只能查看",
    "ref_reused": "流水号已用于其他款项",
    "referral_code_unknown": "推荐码不存在",
    "refresh_invalid": "登录凭证无效，请重新登录",
    "refresh_reused": "登录凭证已被使用，请重新登录",
    "refund_exceeds_paid": "退款金额超过可退金额",
    "region_code": "区域编码应为六位数字",
    "region_not_served": "该地区暂未开通服务",
    "reopen_too_late": "已超过可重新打开的期限",
    "reply_template_invalid": "快捷回复内容有误",
    "reply_unknown": "所引用的消息不存在",
    "request_timeout": "请求内容未按时送达",
    "resolution_required": "请填写处理结果",
    "routing_missing": "尚未配置分配规则",
    "rules_invalid": "分配规则有误",
    "self_referral": "不能推荐自己",
    "session_revoked": "登录已失效，请重新登录",
    "shortcut_used": "快捷码已被使用",
    "slot_conflict": "该时段您已有预约",
    "split_mismatch": "分账金额与订单不符",
    "split_rule_invalid": "分账规则有误",
    "split_version_taken": "该分账规则版本已存在",
    "stale_assignment": "该会话已转给其他客服",
    "stale_version": "内容已被修改，请刷新后重试",
    "talks_elsewhere": "客户已就此事另开会话",
    "thread_state": "会话当前状态不允许此操作",
    "time_past": "所选时间已过",
    "time_too_far": "所选时间超出可预约范围",
    "timeout": "处理超时，请先查看结果再重试",
    "token_expired": "登录已过期",
    "token_invalid": "登录凭证无效",
    "too_early": "尚未到可出发时间",
    "too_far": "您距离服务地址太远",
    "too_many_codes": "验证码发送过于频繁",
    "too_many_tries": "验证码错误次数过多",
    "try_again": "系统繁忙，请重试",
    "unavailable": "服务暂时不可用，请稍后再试",
    "unknown_event": "没有此请求",
    "unknown_parameter": "未知的查询参数",
    "unprocessable": "请求无法处理",
    "unsupported_media_type": "请求内容必须是 UTF-8 的 JSON",
    "version_required": "缺少 If-Match 请求头",
    "withdrawal_state": "提现状态不允许此操作",
}

_RANGE = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]+)?\s*(?:;\s*q=([01](?:\.[0-9]{1,3})?)\s*)?")


def language(accepted: str | None) -> str:
    """`zh` or `en` by Accept-Language (RFC 9110 §12.5.4); `zh` where neither is asked for."""
    best, best_weight = "zh", 0.0
    for part in (accepted or "")[:200].split(","):
        found = _RANGE.fullmatch(part)
        if found is None or found[1].lower() not in {"zh", "en", "*"}:
            continue
        weight = float(found[2] or 1)
        if weight > best_weight:
            best, best_weight = "zh" if found[1].lower() in {"zh", "*"} else "en", weight
    return best


def title(code: str, tongue: str) -> str:
    """A short name of the kind of refusal; the code in words where nobody has translated it."""
    if tongue == "zh" and code in ZH:
        return ZH[code]
    return code.replace("_", " ").capitalize()


def detail(refusal: HubError, tongue: str) -> str:
    """What happened this time. A text made for the occasion is given as it is."""
    default = (type(refusal).__doc__ or "").strip().splitlines()[:1]
    if tongue == "zh" and [refusal.detail] == default and refusal.code in ZH:
        return ZH[refusal.code]
    return refusal.detail
