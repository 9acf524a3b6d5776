"""The password as a value: what it looks like, and what a try makes of the tries before it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.base import codec
from storage.base.errors import HubError, Invalid

WRONG_MAX = 3
"""Wrong tries in a row that are forgiven; the next one locks (RV-042)."""
LOCKED_FOR = timedelta(hours=24)

_DIGITS = re.compile(r"[0-9]{6}", re.ASCII)


class BadPassword(Invalid):
    """A payment password has exactly six digits."""

    code = "bad_pay_password"


class PasswordRequired(Invalid):
    """Your payment password is needed for this."""

    code = "pay_password_required"


class PasswordWrong(Invalid):
    """This is not your payment password."""

    code = "pay_password_wrong"


class OldPasswordWrong(Invalid):
    """The old payment password is wrong."""

    code = "old_password_wrong"


class PayLocked(HubError):
    """The payment password is locked after too many wrong tries."""

    code = "pay_locked"
    status = 423


@dataclass(frozen=True, slots=True)
class Tries:
    """Wrong tries in a row, and until when none is taken."""

    wrong: int = 0
    locked_until: datetime | None = None

    def check_open(self, now: datetime) -> None:
        """Raises PayLocked."""
        if self.locked_until is not None and now < self.locked_until:
            raise PayLocked(until=codec.instant(self.locked_until))

    def after(self, *, is_right: bool, now: datetime) -> tuple[Tries, PasswordWrong | PayLocked | None]:
        """The tries after one more, and how it is refused if it is. Raises PayLocked while it is locked."""
        self.check_open(now)
        if is_right:
            return Tries(), None
        wrong = self.wrong + 1
        if wrong > WRONG_MAX:
            until = now + LOCKED_FOR
            return Tries(0, until), PayLocked(until=codec.instant(until))
        return Tries(wrong), PasswordWrong(tries_left=WRONG_MAX + 1 - wrong)


@dataclass(frozen=True, slots=True)
class Password:
    """What is kept of one."""

    account_id: str
    salt: bytes
    hash: bytes
    tries: Tries
    changed_at: datetime


def check_digits(text: str) -> None:
    """Raises BadPassword."""
    if not _DIGITS.fullmatch(text):
        raise BadPassword
