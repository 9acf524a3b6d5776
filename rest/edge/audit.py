"""Every change staff make is written down with it: who, which operation, on what, what was asked, from where.

The edge does it for every route that only staff may call, so that no domain can forget it. Refused requests change
nothing and are only in the log; a repeated request that gets its stored answer is not a second deed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from rest.edge.reply import Finished
from rest.edge.versions import etag
from storage import audit
from storage.base import codec
from storage.base.log import redact, request_id
from storage.tx import Tx

BODY_MAX = 4_096
"""Bytes of a body that is kept; longer ones (an area file) are known by their request."""


async def write(
    tx: Tx,
    *,
    actor_id: str,
    operation: str,
    path: Mapping[str, str],
    body: Any,  # noqa: ANN401 - a body
    done: Finished,
    address: str,
) -> None:
    """Add the deed to the transaction that does it."""
    await audit.write(
        tx,
        audit.Deed(
            id=tx.new_id("aud"),
            at=tx.now,
            actor_id=actor_id,
            operation=operation,
            subject=dict(path),
            body=kept(body),
            status=done.status,
            outcome_version=done.headers.get("ETag"),
            request_id=request_id.get() or "",
            address=address,
        ),
    )


async def write_asked(
    tx: Tx, *, actor_id: str, operation: str, path: Mapping[str, str], body: Any, version: int | None  # noqa: ANN401 - a body
) -> None:
    """The same of what was asked over a socket. `version`: of the thing as it is now, where it has one."""
    done = Finished(200, {} if version is None else {"ETag": etag(version)}, b"")
    await write(tx, actor_id=actor_id, operation=operation, path=path, body=body, done=done, address="socket")


def kept(body: Any) -> dict[str, Any] | None:  # noqa: ANN401 - a body
    """What may be kept of a body: no secrets, no phone numbers, nothing long."""
    if body is None:
        return None
    fields = _plain(msgspec.to_builtins(body))
    return fields if isinstance(fields, dict) and len(codec.dumps(fields)) <= BODY_MAX else None


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {name: redact(name, _plain(inner)) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
