"""Who is who in the pretended world: keys made on the first start, kept in a folder, and named in our settings."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass, fields, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from rest.money.channels import signing
from storage.base.settings import Settings

KEY_BITS = 2048
FOLDER = "simulator"
"""Of the data directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Names and keys both sides agree on. One key pair for the merchant, one for the platforms."""

    folder: Path
    merchant_key: RSAPrivateKey
    platform_key: RSAPrivateKey
    api_key: bytes
    merchant_id: str = "1900000001"
    wechat_app_id: str = "wx00000000simulator"
    merchant_serial: str = "5157F09EFDC096DE15EBE81A47057A7200000001"
    platform_serial: str = "PUB_KEY_ID_0000000000000000000000000001"
    alipay_app_id: str = "2021000000000001"
    seller_id: str = "2088000000000001"

    @property
    def merchant_public(self) -> RSAPublicKey:
        return self.merchant_key.public_key()


def make_identity(folder: Path) -> Identity:
    """The keys of this folder, made when they are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = {name: _key(folder, name) for name in ("merchant", "platform")}
    api_key = folder / "api.key"
    if not api_key.exists():
        _write(api_key, secrets.token_hex(16).encode())
    return Identity(
        folder=folder,
        merchant_key=keys["merchant"],
        platform_key=keys["platform"],
        api_key=signing.read_api_key(str(api_key)),
    )


def settings_of(settings: Settings, identity: Identity, *, url: str, notify_url: str) -> Settings:
    """The settings with both channels at this simulator."""
    folder = identity.folder
    return replace(
        settings,
        channel_notify_url=notify_url,
        wechat_url=url,
        wechat_merchant_id=identity.merchant_id,
        wechat_app_id=identity.wechat_app_id,
        wechat_key_file=str(folder / "merchant.pem"),
        wechat_key_serial=identity.merchant_serial,
        wechat_api_key_file=str(folder / "api.key"),
        wechat_platform_keys=f"{identity.platform_serial}={folder / 'platform.pub.pem'}",
        alipay_url=f"{url}/gateway.do",
        alipay_app_id=identity.alipay_app_id,
        alipay_seller_id=identity.seller_id,
        alipay_key_file=str(folder / "merchant.pem"),
        alipay_public_key_file=str(folder / "platform.pub.pem"),
    )


def simulated(settings: Settings) -> tuple[Settings, int]:
    """For a start in dev mode with no channel set up: the settings with both at a simulator here, and its port.

    Port 0: real channels are set up, or nothing is to be pretended.
    """
    is_set_up = settings.wechat_merchant_id or settings.alipay_app_id
    if not settings.dev or is_set_up or settings.tls_certificate:
        return settings, 0
    port = settings.channel_simulator_port or free_port()
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104 - compared, not bound
    identity = make_identity(settings.data_path / FOLDER)
    url, notify_url = f"http://127.0.0.1:{port}", f"http://{host}:{settings.port}"
    return settings_of(settings, identity, url=url, notify_url=notify_url), port


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def channel_fields(settings: Settings) -> dict[str, str]:
    """What of the settings is about channels, by field: for the environment of other processes."""
    names = [field.name for field in fields(settings) if field.name.startswith(("channel_", "wechat_", "alipay_"))]
    return {name: str(getattr(settings, name)) for name in names}


def _key(folder: Path, name: str) -> RSAPrivateKey:
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    if not (private.exists() and public.exists()):
        key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        _write(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        _write(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return signing.read_private_key(str(private))


def _write(path: Path, raw: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(raw)
