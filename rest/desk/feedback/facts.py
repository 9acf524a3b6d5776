"""What feedback tells who said it and the desk."""

from __future__ import annotations

from typing import ClassVar

from storage.base.facts import Fact


class FeedbackChanged(Fact, frozen=True, kw_only=True):
    """It was sent, taken up, answered or closed. `is_reply`: there is something new to read."""

    topic: ClassVar[str] = "feedback.changed"

    feedback_id: str
    kind: str
    state: str
    is_reply: bool
