"""The oracle: what must hold whatever happened in the run. Pure: what was heard and what is true in, findings out.

A finding is one sentence with ids. The numbers in brackets are the invariants of dispatch it belongs to.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from tests.replay.journal import Journal
from tests.replay.truth import OfferTruth, OrderTruth, Truth

LATE_S = 5.0
"""A deadline this long past was missed; its handler has 200 ms."""

BOUND = frozenset(
    {
        "pending_payment", "paid", "accepted", "rejected", "departed", "arrived", "in_service", "service_ended",
        "leave_confirmed",
    }
)  # fmt: skip
"""A technician is held or assigned."""

WON = BOUND - {"pending_payment"}
ENDED = frozenset({"completed", "cancelled", "closed_penalty", "terminated"})


_TOLD = ("order_id", "version", "status", "worker_id", "at")


@dataclass(frozen=True, slots=True)
class Told:
    """One `order.changed` as somebody heard it; `heard_s` is the driver's clock and no part of the fact."""

    order_id: str
    version: int
    status: str
    worker_id: str | None
    at: str
    heard_s: float = field(default=0.0, compare=False)


Claim = tuple[str, str, str]
"""An order, a worker, and what says that the order is his: a fact he heard, or a verb he was granted."""


def findings(
    journals: Iterable[Journal], workers: Mapping[str, Journal], truth: Truth, granted: Iterable[Claim] = ()
) -> list[str]:
    """Everything that is wrong. `workers`: journals of technicians by worker id; `granted`: verbs on orders acked."""
    heard = list(journals)
    stories, contradictions = tell_stories(heard)
    return [
        *contradictions,
        *won_twice(stories),
        *claimed_wrongly(stories, [*told_to_win(workers), *granted]),
        *double_booked(stories, truth.orders),
        *offers_lost(workers, truth),
        *offers_repeated(heard),
        *offers_open(workers, truth),
        *facts_missed(stories, truth.orders.values()),
        *overdue(truth),
    ]


def tell_stories(journals: Iterable[Journal]) -> tuple[dict[str, list[Told]], list[str]]:
    """Each order's steps by version, put together from everybody who heard some; and where two heard differently."""
    steps: dict[tuple[str, int], Told] = {}
    wrong = []
    for journal in journals:
        for heard in journal.of("order.changed"):
            told = Told(**{name: heard.fields[name] for name in _TOLD}, heard_s=heard.at_s)
            known = steps.setdefault((told.order_id, told.version), told)
            if known != told:
                wrong.append(f"{journal.owner} heard {told} where others heard {known}")
    stories: dict[str, list[Told]] = defaultdict(list)
    for key in sorted(steps):
        stories[key[0]].append(steps[key])
    return dict(stories), wrong


def won_twice(stories: Mapping[str, Sequence[Told]]) -> Iterator[str]:
    """An order with a second winner although the first was never let go (I1)."""
    for order_id, story in stories.items():
        winner: str | None = None
        for told in story:
            if told.status in WON:
                if told.worker_id is None:
                    yield f"order {order_id} is {told.status} at version {told.version} without a technician (I1)"
                elif winner not in {None, told.worker_id}:
                    yield f"order {order_id} was won twice: by {winner} and by {told.worker_id} (I1)"
                winner = told.worker_id
            elif told.status != "cancel_requested":
                winner = None


def told_to_win(workers: Mapping[str, Journal]) -> Iterator[Claim]:
    """Everybody who was told that his grab won."""
    for worker_id, journal in workers.items():
        for heard in journal.of("grab.closed"):
            if heard.fields["state"] == "won":
                yield heard.fields["subject_id"], worker_id, "told that he won"


def claimed_wrongly(stories: Mapping[str, Sequence[Told]], claims: Iterable[Claim]) -> Iterator[str]:
    """A technician whom the hub let believe that an order is his, while its story knows only others (I1, I3)."""
    for order_id, worker_id, why in claims:
        winners = {told.worker_id for told in stories.get(order_id, ()) if told.status in WON}
        if winners and worker_id not in winners:
            others = ", ".join(sorted(filter(None, winners)))
            yield f"technician {worker_id} was {why} for order {order_id}, which belongs to {others} (I1)"


@dataclass(frozen=True, slots=True)
class Hold:
    """A technician was held for an order from one instant to another (RFC 3339 text; None: still)."""

    worker_id: str
    order_id: str
    from_at: str
    to_at: str | None

    def overlaps(self, other: Hold) -> bool:
        starts_first, starts_second = sorted((self, other), key=lambda hold: hold.from_at)
        return starts_first.to_at is None or starts_second.from_at < starts_first.to_at


def holds(stories: Mapping[str, Sequence[Told]]) -> list[Hold]:
    """Who was held for what, and when, folded from the steps of all orders."""
    found = []
    for order_id, story in stories.items():
        open_hold: Hold | None = None
        for told in story:
            holder = told.worker_id if told.status in BOUND else None
            if told.status == "cancel_requested" and open_hold is not None:
                continue  # whoever is bound stays so until support has spoken
            if open_hold is not None and holder != open_hold.worker_id:
                found.append(Hold(open_hold.worker_id, order_id, open_hold.from_at, told.at))
                open_hold = None
            if holder is not None and open_hold is None:
                open_hold = Hold(holder, order_id, told.at, None)
        if open_hold is not None:
            found.append(open_hold)
    return found


def double_booked(stories: Mapping[str, Sequence[Told]], orders: Mapping[str, OrderTruth]) -> Iterator[str]:
    """A technician held at the same time for two visits that overlap (I2)."""
    by_worker: dict[str, list[Hold]] = defaultdict(list)
    for hold in holds(stories):
        by_worker[hold.worker_id].append(hold)
    for worker_id, mine in by_worker.items():
        for one, other in combinations(mine, 2):
            if one.order_id == other.order_id or not one.overlaps(other):
                continue
            a, b = orders.get(one.order_id), orders.get(other.order_id)
            if a is not None and b is not None and a.start_s < b.end_s and b.start_s < a.end_s:
                yield f"technician {worker_id} was double-booked: orders {a.order_id} and {b.order_id} (I2)"


def offers_lost(workers: Mapping[str, Journal], truth: Truth) -> Iterator[str]:
    """An offer on record that its technician never heard, although he was connected or came back (I5).

    Offers outlive every absence of the run, so that each must have been heard, or replayed on return.
    """
    for call in truth.calls.values():
        for offer in call.offers:
            journal = workers.get(offer.worker_id)
            if journal is None or journal.resyncs:
                continue
            heard = [fact.fields for fact in journal.of("offer.made") if fact.fields["call_id"] == call.call_id]
            if any(made["offer_id"] == offer.offer_id for made in heard) or _asked_for(offer, heard):
                continue
            yield f"{journal.owner} never heard offer {offer.offer_id} ({offer.state}) of call {call.call_id} (I5)"


def _asked_for(offer: OfferTruth, heard: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the technician made this offer himself: he grabbed on an offer of an earlier time in the pool, which
    counts as asking to be offered the call again, and is told so by the answer to his grab."""
    return offer.grabbed and any(made["epoch"] < offer.epoch for made in heard)


def offers_repeated(journals: Iterable[Journal]) -> Iterator[str]:
    """One offer told by two facts, or ended by two (I5)."""
    for journal in journals:
        for topic in ("offer.made", "offer.closed"):
            times = Counter(heard.fields["offer_id"] for heard in journal.of(topic))
            for offer_id, count in times.items():
                if count > 1:
                    yield f"{journal.owner} heard {topic} of {offer_id} as {count} facts (I5)"


def offers_open(workers: Mapping[str, Journal], truth: Truth) -> Iterator[str]:
    """An offer of an order that has ended whose end was never told (I5)."""
    ended = {order.call_id for order in truth.orders.values() if order.status in ENDED}
    for journal in workers.values():
        if journal.resyncs:
            continue
        closed = {heard.fields["offer_id"] for heard in journal.of("offer.closed")}
        for heard in journal.of("offer.made"):
            if heard.fields["call_id"] in ended and heard.fields["offer_id"] not in closed:
                yield f"{journal.owner} was never told how offer {heard.fields['offer_id']} ended (I5)"


def facts_missed(stories: Mapping[str, Sequence[Told]], orders: Iterable[OrderTruth]) -> Iterator[str]:
    """A step on an order's record that nobody heard, or heard otherwise (I6)."""
    for order in orders:
        heard = {told.version: told for told in stories.get(order.order_id, ())}
        for step in order.steps:
            told = heard.get(step.n)
            if told is None:
                yield f"order {order.order_id}: nobody heard step {step.n} ({step.verb} → {step.to_status}) (I6)"
            elif told.status != step.to_status:
                yield f"order {order.order_id}: step {step.n} is {step.to_status}, heard as {told.status} (I6)"
        newest = max((version for version, told in heard.items() if told.heard_s < order.asked_s), default=0)
        if newest > order.version:
            yield f"order {order.order_id} is at version {order.version}, {newest} was heard before (I6)"


def overdue(truth: Truth) -> Iterator[str]:
    """An order still waiting for a deadline that has passed (I10)."""
    for order in truth.orders.values():
        for name, due_s in order.deadlines:
            late_s = truth.read_s - due_s
            if order.status not in ENDED and late_s > LATE_S:
                yield f"order {order.order_id} ({order.status}) is {late_s:.0f} s past its deadline {name} (I10)"


def wrong_wallets(truth: Truth, before: Mapping[str, int]) -> Iterator[str]:
    """A wallet that does not hold what it held before less what its orders kept (I16)."""
    kept: Counter[str] = Counter()
    for order in truth.orders.values():
        kept[order.customer_id] += order.kept_fen
    for account_id, had in before.items():
        has = truth.wallets.get(account_id)
        if has is not None and has != had - kept[account_id]:
            yield f"wallet of {account_id} holds {has} fen and not {had} less {kept[account_id]} (I16)"
