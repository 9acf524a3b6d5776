"""Titles of refusals for people, in Chinese and English. Codes are never translated."""

from __future__ import annotations

import re

from storage.base.errors import HubError

ZH = {
    "account_closed": "账号已停用",
    "bad_request": "请求不符合 HTTP 规范",
    "busy": "系统繁忙，请稍后再试",
    "code_expired": "验证码已过期，请重新获取",
    "code_wrong": "验证码错误",
    "cursor_invalid": "分页游标无效",
    "expectation_failed": "不支持的 Expect 请求头",
    "forbidden": "没有权限",
    "idempotency_in_progress": "相同的请求正在处理中",
    "idempotency_key_invalid": "幂等键格式错误",
    "idempotency_key_required": "缺少幂等键",
    "internal": "服务器内部错误",
    "invalid_input": "输入有误",
    "invalid_state": "当前状态不允许此操作",
    "key_reused": "幂等键已用于其他请求",
    "login_required": "请先登录",
    "malformed_json": "JSON 格式错误",
    "method_not_allowed": "不支持的请求方法",
    "not_found": "内容不存在",
    "payload_too_large": "请求内容过大",
    "phone_invalid": "手机号格式错误",
    "rate_limited": "请求过于频繁，请稍后再试",
    "refresh_invalid": "登录凭证无效，请重新登录",
    "refresh_reused": "登录凭证已被使用，请重新登录",
    "session_revoked": "登录已失效，请重新登录",
    "stale_version": "内容已被修改，请刷新后重试",
    "token_expired": "登录已过期",
    "token_invalid": "登录凭证无效",
    "too_many_codes": "验证码发送过于频繁",
    "too_many_tries": "验证码错误次数过多",
    "try_again": "系统繁忙，请重试",
    "unavailable": "服务暂时不可用，请稍后再试",
    "unknown_parameter": "未知的查询参数",
    "unprocessable": "请求无法处理",
    "unsupported_media_type": "请求内容必须是 UTF-8 的 JSON",
    "version_required": "缺少 If-Match 请求头",
}

_RANGE = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]+)?\s*(?:;\s*q=([01](?:\.[0-9]{1,3})?)\s*)?")


def language(accepted: str | None) -> str:
    """`zh` or `en` by Accept-Language (RFC 9110 §12.5.4); `en` without it: devices of people send it."""
    best, best_weight = "en", 0.0
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
