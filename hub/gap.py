"""What a client missed: the facts between its place in the feed and the head, or why they cannot be replayed."""

from __future__ import annotations

from dataclasses import dataclass

from storage import outbox
from storage.outbox import FeedFact, FeedHead
from storage.tx import Tx


@dataclass(frozen=True, slots=True)
class Gap:
    """What a member missed: `facts` in order, or the `reason` why not."""

    head: FeedHead
    facts: tuple[FeedFact, ...] = ()
    reason: str | None = None


def refusal(head: FeedHead, *, since: int, epoch: str | None) -> str | None:
    """Why the gap above `since` cannot be replayed; None when it can, as far as the head tells."""
    if epoch is not None and epoch != head.epoch:
        return "epoch"
    if since > head.last_seq:
        return "ahead"
    if since < head.floor_seq:
        return "too_old"
    return None


async def read_gap(tx: Tx, audiences: list[str], *, since: int, epoch: str | None, gap_max: int) -> Gap:
    """The head and what lies between `since` and it. The transaction must have one snapshot."""
    head = await outbox.head(tx)
    reason = refusal(head, since=since, epoch=epoch)
    if reason is not None or since == head.last_seq:
        return Gap(head, reason=reason)
    facts = await outbox.gap(tx, audiences, since=since, upto=head.last_seq, limit=gap_max + 1)
    if len(facts) > gap_max:
        return Gap(head, reason="too_many")
    return Gap(head, tuple(facts))
