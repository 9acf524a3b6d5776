"""Tokens: what they say, how they are made and read. Pure but for the random bits of new ones.

An access token is a JWT (HS256) that says everything a request needs, so that verifying it asks nobody; whether its
session still lives is the gate's question. A refresh token names its session and generation, then 256 random bits,
then a MAC over all: one with a right MAC and an old generation was surely ours once, so its reuse proves a copy,
while a made-up one proves nothing and ends no session. Every key is derived from the one secret and serves one
purpose.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rest.edge.actors import Actor
from rest.edge.errors import TokenExpired, TokenInvalid
from rest.people.model import RefreshInvalid
from storage.base import codec
from storage.base.ids import is_id

ALGORITHM = "HS256"
ACCESS_TTL_MAX_S = 86_400
"""The longest life of an access token (tools, load tests); the gate remembers revoked sessions this long."""
MAC_BYTES = 16
CODE_DIGITS = 6

_HEAD = urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=") + "."
"""How every access token begins: which algorithm it has is ours to say, not its bearer's (RFC 8725 §3.1)."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    text: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """`hash` is what the database keeps."""

    text: str
    session_id: str
    generation: int

    @property
    def hash(self) -> bytes:
        return sha256(self.text.encode()).digest()


class Keys:
    """The keys of one installation; two processes with one secret understand each other's tokens."""

    def __init__(self, secret: str) -> None:
        if len(secret) < 32:
            raise ValueError("the secret must have at least 32 characters")
        self._access = _derive(secret, "access token")
        self._refresh = _derive(secret, "refresh token")
        self._code = _derive(secret, "sign-in code")
        self._seal = AESGCM(_derive(secret, "sealed code"))

    def issue(
        self,
        session_id: str,
        account_id: str,
        roles: frozenset[str],
        now: datetime,
        ttl_s: int,
        *,
        tenant_id: str | None = None,
    ) -> AccessToken:
        """An access token. Raises ValueError above ACCESS_TTL_MAX_S."""
        if not 0 < ttl_s <= ACCESS_TTL_MAX_S:
            raise ValueError(f"an access token lives 1 to {ACCESS_TTL_MAX_S} s")
        expires_at = now + timedelta(seconds=ttl_s)
        claims: dict[str, Any] = {
            "sub": account_id,
            "sid": session_id,
            "roles": sorted(roles),
            "iat": now.timestamp(),
            "exp": expires_at.timestamp(),
        }
        if tenant_id is not None:
            claims["tid"] = tenant_id
        return AccessToken(jwt.encode(claims, self._access, algorithm=ALGORITHM), expires_at)

    def verify(self, token: str, now: datetime) -> Actor:
        """Who holds this access token. Raises TokenInvalid, TokenExpired.

        A crowd that comes back is verified one by one, so this is the short way: what has our MAC we have written.
        """
        signed, _, mac = token.rpartition(".")
        if not (token.isascii() and token.startswith(_HEAD)):
            raise TokenInvalid
        if not hmac.compare_digest(mac, _base64(hmac.digest(self._access, signed.encode(), "sha256"))):
            raise TokenInvalid
        body = signed.removeprefix(_HEAD)
        claims = codec.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        if expires_at <= now:
            raise TokenExpired
        issued_at = datetime.fromtimestamp(claims["iat"], UTC)
        return Actor(claims["sub"], claims["sid"], frozenset(claims["roles"]), issued_at, expires_at, claims.get("tid"))

    def refresh_token(self, session_id: str, generation: int) -> RefreshToken:
        """A new refresh token."""
        body = f"{session_id}.{generation}.{secrets.token_urlsafe(32)}"
        return RefreshToken(f"{body}.{self._mac(body)}", session_id, generation)

    def read_refresh(self, text: str) -> RefreshToken:
        """A refresh token we have made at some time. Raises RefreshInvalid on any other text."""
        body, _, mac = text.rpartition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(body).encode()):
            raise RefreshInvalid
        session_id, generation, _ = body.split(".")
        assert is_id(session_id, "ses")  # noqa: S101 - the MAC says we wrote it
        return RefreshToken(text, session_id, int(generation))

    def code_hash(self, phone: str, code: str) -> bytes:
        """What the database keeps of a sign-in code; a copy of the table opens nothing without the secret."""
        return hmac.digest(self._code, f"{phone} {code}".encode(), "sha256")

    def pseudonym(self, phone: str) -> str:
        """A name for a phone that says nothing to whoever lacks the secret."""
        return hmac.digest(self._code, phone.encode(), "sha256")[:MAC_BYTES].hex()

    def seal_code(self, phone: str, code: str) -> str:
        """A code on its way through the job table, readable with the secret only."""
        nonce = secrets.token_bytes(12)
        return (nonce + self._seal.encrypt(nonce, code.encode(), phone.encode())).hex()

    def open_code(self, phone: str, sealed: str) -> str:
        """Raises ValueError when it was not sealed here for this phone."""
        raw = bytes.fromhex(sealed)
        try:
            return self._seal.decrypt(raw[:12], raw[12:], phone.encode()).decode()
        except InvalidTag as fault:
            raise ValueError("sealed with another secret or for another phone") from fault

    def _mac(self, body: str) -> str:
        return _base64(hmac.digest(self._refresh, body.encode(), "sha256")[:MAC_BYTES])


def new_code() -> str:
    """Six digits, each equally likely."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _derive(secret: str, purpose: str) -> bytes:
    return hmac.digest(secret.encode(), f"fieldhub {purpose}".encode(), "sha256")
