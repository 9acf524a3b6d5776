"""What becomes due of refund requests."""

from __future__ import annotations

from collections.abc import Mapping

from rest.money.refunds.actions import REVIEW_DUE, miss_review
from storage.jobs import Handler

DEADLINES: Mapping[str, Handler] = {REVIEW_DUE: miss_review}
