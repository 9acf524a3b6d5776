"""Where a tap leads, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Method(StrEnum):
    """How one gets to people: WeCom's own chat, a code to scan, or `POST /v1/support`."""

    WECOM = "wecom"
    QR = "qr"
    SUPPORT = "support"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What the operator has set up; empty: not that."""

    corp_id: str
    wecom_url: str
    qr_url: str

    @property
    def method(self) -> Method:
        """The best of them."""
        if self.corp_id and self.wecom_url:
            return Method.WECOM
        return Method.QR if self.qr_url else Method.SUPPORT


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEntry:
    """One tap."""

    id: str
    account_id: str
    kind: str
    method: Method
    order_id: str | None
    at: datetime
