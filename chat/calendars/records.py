"""A calendar that is kept: whose it is and which version."""

from __future__ import annotations

from dataclasses import dataclass

from chat.calendars.model import Calendar


@dataclass(frozen=True, slots=True)
class Stored:
    """`tenant_id` is None for the platform's own."""

    id: str
    tenant_id: str | None
    name: str
    calendar: Calendar
    version: int
