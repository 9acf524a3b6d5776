"""Tenants as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tenant:
    """A house with a desk of its own."""

    id: str
    name: str
    version: int = 1
