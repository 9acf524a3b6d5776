"""The picture of the whole database, drawn by pg_dump, kept in `schema.sql` for readers and compared by a test."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from storage.engines import binaries

SCHEMA = Path(__file__).parent / "schema.sql"

_NOISE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict.*)\n", re.MULTILINE)
_PARTITION_OF_A_DAY = re.compile(r"[^;]*\b\w+_p?\d{8}\b[^;]*;\n", re.MULTILINE)


async def picture(url: str) -> str:
    """The schema of a database as SQL, without comments, settings and the partitions of single days."""
    process = await asyncio.create_subprocess_exec(
        str(binaries() / "pg_dump"), "--schema-only", "--no-owner", "--no-privileges", url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, problem = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(problem.decode(errors="replace"))
    text = _PARTITION_OF_A_DAY.sub("", _NOISE.sub("", out.decode()))
    # Functions come before the tables they read.
    return "SET check_function_bodies = off;\n\n" + re.sub(r"\n{2,}", "\n\n", text).strip() + "\n"
