"""What sockets ask is done once: the twin of the Idempotency-Key, by the `req_id` in the body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from storage import idempotency
from storage.base import codec
from storage.idempotency import StoredAnswer
from storage.postgres import Database
from storage.tx import Tx

Fields = Mapping[str, Any]
"""Of an answer, as JSON has them."""
Verb = Callable[[Database, Any, Any], Awaitable[Fields]]
"""A business verb behind a request: (db, who asks, body) → fields of the ack. Opens its own transaction."""


async def once(db: Database, account_id: str, name: str, body: Any, act: Callable[[Tx], Awaitable[Fields]]) -> Fields:  # noqa: ANN401 - the hub names the type
    """Run `act` in one transaction; the same `req_id` again gives the first answer and no second effect.

    A refusal is not remembered: nothing was done, so the next try is judged anew. Raises KeyReused when the `req_id`
    came with another body before.
    """
    if body.req_id is None:
        return await db.run(act)
    scope, asked = f"{account_id} {name}", sha256(msgspec.json.encode(body)).digest()

    async def act_once(tx: Tx) -> Fields:
        known = await idempotency.claim(tx, scope, body.req_id, asked)
        if known is not None:
            before: Fields = codec.loads(known.body)
            return before
        fields = await act(tx)
        idempotency.store(tx, scope, body.req_id, StoredAnswer(200, "{}", codec.dumps(fields)))
        return fields

    return await db.run(act_once)
