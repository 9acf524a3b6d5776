"""The floor as values: what a console shows beside one thread. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chat.desk.boards import Board
from chat.desk.model import Agent


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A promise that runs. `warned`: the highest mark passed, in percent."""

    conversation_id: str
    kind: str
    due_at: datetime
    warned: int
    is_broken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An offer nobody has answered yet."""

    assignment_id: str
    conversation_id: str
    reason: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Everybody and every queue, as of one instant; `offers` are the reader's own."""

    at: datetime
    agents: Sequence[Agent]
    boards: Sequence[Board]
    promises: Sequence[Due]
    offers: Sequence[Asked]
