"""What happens when nobody takes a case: all of support is called, then the lead (HS-195)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from chat.cases import store
from chat.cases.actions import UNTOUCHED_KIND, raise_to, watch
from chat.cases.model import CaseState
from storage.tx import Tx


async def raise_untouched(tx: Tx, payload: dict[str, Any]) -> None:
    """Raise the case as far as its age says; after an outage straight to the lead, with one fact."""
    case = await store.lock(tx, payload["case_id"])
    if case is None or case.state is not CaseState.OPEN:
        return
    # Watched again even when nothing was due yet: a timer is a hint.
    watch(tx, await raise_to(tx, case, case.stage_due(tx.now)))


DEADLINES: Mapping[str, Callable[[Tx, dict[str, Any]], Awaitable[None]]] = {UNTOUCHED_KIND: raise_untouched}
