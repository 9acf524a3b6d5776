"""Devices and challenges as values, and the text that is signed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from storage.base import codec
from storage.base.errors import Conflict, HubError, Invalid

DEVICES_MAX = 5
"""A phone or two, a tablet, and one that is being replaced."""
VALID_FOR = timedelta(minutes=2)
"""Long enough to look at the amount and find the finger."""


class Action(StrEnum):
    """What a signature is for; `subject` is the order, the payee's number, the product, the level."""

    PAY = "pay"
    WITHDRAW = "withdraw"
    REDEEM = "redeem"
    MEMBERSHIP = "membership"


class Algorithm(StrEnum):
    """How a device signs."""

    P256 = "p256"
    ED25519 = "ed25519"


class SignatureBad(HubError):
    """This signature is not that device's, or not of this payment."""

    code = "signature_bad"
    status = 401


class ChallengeExpired(HubError):
    """This challenge has been used or its time is over; ask for another."""

    code = "challenge_expired"
    status = 410


class DeviceKeyBad(Invalid):
    """A device's key is a P-256 or Ed25519 public key (SubjectPublicKeyInfo, DER, base64)."""

    code = "device_key_bad"


class DeviceKnown(Conflict):
    """This key is registered already."""

    code = "device_known"


class TooManySigningDevices(Conflict):
    """Remove another device first."""

    code = "too_many_signing_devices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A registered key. `password_salt` names the password it was let in with."""

    id: str
    account_id: str
    name: str
    algorithm: Algorithm
    public_key: bytes
    password_salt: bytes
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One payment to be signed. Units: fen."""

    id: str
    account_id: str
    device_id: str
    action: Action
    subject: str
    amount_fen: int
    nonce: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None

    @property
    def message(self) -> str:
        """What the device signs, as UTF-8: every field on a line of its own, so that no two say the same."""
        return "\n".join(
            (
                "fieldhub payment 1",
                self.id,
                self.account_id,
                self.device_id,
                self.action.value,
                self.subject,
                str(self.amount_fen),
                codec.instant(self.expires_at),
                self.nonce,
            )
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """A signature that is right; what it is good for is seen when it is spent."""

    challenge_id: str
    account_id: str
