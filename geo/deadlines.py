"""What geo does when time is up."""

from __future__ import annotations

from typing import Final

from geo.history import UPKEEP_KIND, keep_history
from storage.jobs import Handler

DEADLINES: Final[dict[str, Handler]] = {UPKEEP_KIND: keep_history}
