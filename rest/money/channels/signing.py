"""Signatures and seals of both channels: RSA with SHA-256, AES-256-GCM, and the texts that are signed."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from rest.money.channels.errors import BadSignature

API_KEY_BYTES = 32


def read_private_key(path: str) -> RSAPrivateKey:
    """Raises OSError, ValueError."""
    # The check for a key made to deceive takes 0.2 s at every start, and this one is the operator's own.
    raw = Path(path).expanduser().read_bytes()
    key = load_pem_private_key(raw, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError(f"{path} holds no RSA key")  # noqa: TRY004 - a wrong file, not a wrong type
    return key


def read_public_key(path: str) -> RSAPublicKey:
    """A public key or a certificate: channels hand out both. Raises OSError, ValueError."""
    raw = Path(path).expanduser().read_bytes()
    key = load_pem_x509_certificate(raw).public_key() if b"CERTIFICATE" in raw else load_pem_public_key(raw)
    if not isinstance(key, RSAPublicKey):
        raise ValueError(f"{path} holds no RSA key")  # noqa: TRY004 - a wrong file, not a wrong type
    return key


def read_api_key(path: str) -> bytes:
    """Raises OSError, ValueError."""
    key = Path(path).expanduser().read_bytes().strip()
    if len(key) != API_KEY_BYTES:
        raise ValueError(f"{path} must hold {API_KEY_BYTES} bytes")
    return key


def sign(key: RSAPrivateKey, text: bytes) -> str:
    return b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()


def check(key: RSAPublicKey, text: bytes, signature: str) -> None:
    """Raises BadSignature; also for base64 that says the right bytes in another way than encoders do."""
    try:
        signed = b64decode(signature, validate=True)
        if b64encode(signed).decode() != signature:
            raise BadSignature
        key.verify(signed, text, PKCS1v15(), SHA256())
    except (InvalidSignature, NotBase64, ValueError) as wrong:
        raise BadSignature from wrong


def seal(key: bytes, nonce: str, associated: str, plain: bytes) -> str:
    return b64encode(AESGCM(key).encrypt(nonce.encode(), plain, associated.encode())).decode()


def unseal(key: bytes, nonce: str, associated: str, sealed: str) -> bytes:
    """Raises BadSignature: what cannot be opened was not sealed for us."""
    try:
        return AESGCM(key).decrypt(nonce.encode(), b64decode(sealed, validate=True), associated.encode())
    except (InvalidTag, NotBase64, ValueError) as wrong:
        raise BadSignature from wrong


_OAEP = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303 - what WeChat asks for; no signature


def encrypt(key: RSAPublicKey, text: str) -> str:
    """Sealed for whoever has the key's other half; WeChat's names of people and merchants."""
    return b64encode(key.encrypt(text.encode(), _OAEP)).decode()


def decrypt(key: RSAPrivateKey, sealed: str) -> str:
    """Raises BadSignature."""
    try:
        return key.decrypt(b64decode(sealed, validate=True), _OAEP).decode()
    except (NotBase64, ValueError) as wrong:
        raise BadSignature from wrong


def lines(*parts: str) -> bytes:
    """WeChat's text to sign: each part and a line feed."""
    return "".join(part + "\n" for part in parts).encode()


def pairs(fields: Mapping[str, str], *, without: tuple[str, ...] = ("sign",)) -> bytes:
    """Alipay's text to sign: `name=value` in the order of names, joined by `&`; empty values say nothing."""
    shown = sorted((name, value) for name, value in fields.items() if value != "" and name not in without)
    return "&".join(f"{name}={value}" for name, value in shown).encode()
