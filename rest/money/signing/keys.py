"""Public keys and signatures, by `cryptography`."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from rest.money.signing.model import Algorithm, DeviceKeyBad


def read_key(der: bytes) -> tuple[Algorithm, bytes]:
    """The algorithm of this key, and the key in the one form it is kept in. Raises DeviceKeyBad."""
    try:
        key = load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise DeviceKeyBad from None
    if isinstance(key, Ed25519PublicKey):
        algorithm = Algorithm.ED25519
    elif isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        algorithm = Algorithm.P256
    else:
        raise DeviceKeyBad
    return algorithm, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def is_signed(public_key: bytes, signature: bytes, message: str) -> bool:
    """Whether the owner of this key has signed this text."""
    key = load_der_public_key(public_key)
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message.encode())
        elif isinstance(key, EllipticCurvePublicKey):
            key.verify(signature, message.encode(), ECDSA(SHA256()))
        else:
            return False
    except InvalidSignature:
        return False
    return True
