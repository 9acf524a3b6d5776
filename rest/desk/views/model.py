"""A saved view as a value, whose it is, and its refusals. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from storage.base.errors import Conflict

VIEWS_MAX = 20
"""Of one person, and of one desk: more than that nobody finds again. The table has no more places either."""


class ViewNameUsed(Conflict):
    """There is a view with this name already."""

    code = "view_name_used"


class TooManyViews(Conflict):
    """That is as many views as can be kept; drop one first."""

    code = "too_many_views"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`holder`: an account, or a desk that shares it. `filter`: words of the list's query."""

    id: str
    holder: str
    name: str
    filter: Mapping[str, str]
    created_by: str
    created_at: datetime

    @property
    def is_shared(self) -> bool:
        return self.holder.startswith("desk:")


def desk_of(tenant_id: str | None) -> str:
    """The holder of what a desk shares."""
    return f"desk:{tenant_id or ''}"
