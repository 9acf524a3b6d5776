"""The slow hash of a password (Argon2id), made in a thread: it takes tens of milliseconds on purpose."""

from __future__ import annotations

import asyncio
import hmac
import os
from concurrent.futures import ThreadPoolExecutor

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

SALT_BYTES = 16
HASH_BYTES = 32
MEMORY_KIB = 19_456
ROUNDS = 2
"""With one lane, what OWASP names as the least for Argon2id."""
AT_ONCE_MAX = 2
"""Hashes made at once by a process: each wants a core and 19 MiB."""

_workers = ThreadPoolExecutor(AT_ONCE_MAX, thread_name_prefix="password")


def new_salt() -> bytes:
    return os.urandom(SALT_BYTES)


async def slow_hash(digits: str, salt: bytes, secret: str) -> bytes:
    """What is kept of these digits; without the installation's secret it cannot be computed."""
    key = hmac.digest(secret.encode(), b"fieldhub wallet password", "sha256")
    return await asyncio.get_running_loop().run_in_executor(_workers, _derive, digits, salt, key)


def _derive(digits: str, salt: bytes, key: bytes) -> bytes:
    argon = Argon2id(salt=salt, length=HASH_BYTES, iterations=ROUNDS, lanes=1, memory_cost=MEMORY_KIB, secret=key)
    return argon.derive(digits.encode())
