"""State before + facts = state after: what a phone knows by folding what it heard, and what the server says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest.lines.homeservice.model import PENDING_PAYMENT, POOL
from tests.homeservice.conftest import Town

CHANGING = ("status", "version", "worker_id", "lock_expires_at", "ends_at")


class Phone:
    """A customer's app: folds the facts of its audience and never asks."""

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        self.orders: dict[str, dict[str, Any]] = {}
        self.grabs: dict[str, dict[str, str]] = {}
        self.tracking: set[str] = set()
        self.repeats: list[str] = []
        self._seen: set[tuple[str, int]] = set()
        self._heard = 0

    def hear(self, facts: list[dict[str, Any]]) -> None:
        """All facts of the audience so far; those heard before are skipped."""
        for fact in facts[self._heard :]:
            self._fold(fact)
        self._heard = len(facts)

    def _fold(self, fact: dict[str, Any]) -> None:
        if fact["topic"] == "order.changed":
            self._order(fact)
        elif fact["topic"] == "grab.added":
            self.grabs.setdefault(fact["subject_id"], {})[fact["grab_id"]] = fact["worker"]["worker_id"]
        elif fact["topic"] == "grab.removed":
            self.grabs.setdefault(fact["subject_id"], {}).pop(fact["grab_id"], None)
        elif fact["topic"] == "tracking.ended":
            self.tracking.discard(fact["order_id"])

    def _order(self, fact: dict[str, Any]) -> None:
        order_id, version = fact["order_id"], fact["version"]
        known = self.orders.get(order_id)
        if (order_id, version) in self._seen or (known and version != known["version"] + 1):
            self.repeats.append(f"{order_id} v{version} after {known}")
        self._seen.add((order_id, version))
        self.orders[order_id] = {name: fact[name] for name in CHANGING}
        if fact["status"] == "departed":
            self.tracking.add(order_id)


async def differences(town: Town, phone: Phone, order_ids: list[str]) -> list[str]:
    """Where the phone's picture is not the server's."""
    phone.hear(await town.heard(f"customer:{phone.account_id}"))
    found = [f"told twice or out of order: {what}" for what in phone.repeats]
    for order_id in order_ids:
        job = await town.job(order_id)
        now = {
            "status": job.order.status,
            "version": job.order.version,
            "worker_id": job.order.provider_id,
            "lock_expires_at": _text(job.visit.lock_expires_at),
            "ends_at": _text(job.visit.ends_at),
        }
        if phone.orders.get(order_id) != now:
            found.append(f"{order_id}: heard {phone.orders.get(order_id)}, is {now}")
        if job.order.status in {*POOL, PENDING_PAYMENT}:
            shown = {grab.id: grab.worker_id for grab in await town.grabs(job)}
            if phone.grabs.get(order_id, {}) != shown:
                found.append(f"{order_id}: candidates heard {phone.grabs.get(order_id)}, are {shown}")
        if (order_id in phone.tracking) != (job.order.status == "departed"):
            found.append(f"{order_id}: tracking")
    return found


def _text(at: datetime | None) -> str | None:
    from storage.base.codec import instant

    return None if at is None else instant(at)
