"""Counters of the socket edge for /metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


class Tally(Collector):
    """A counter or gauge of what happens thousands of times a second: `counts[label values] += 1`.

    The library's own takes a lock and checks its labels each time; all of ours are counted in the loop's one thread.
    """

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str], *, kind: Callable[..., Any] = CounterMetricFamily
    ) -> None:
        self.counts: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self._empty = partial(kind, name, documentation, labels=labels)
        REGISTRY.register(self)

    def collect(self) -> Iterator[Metric]:
        family = self._empty()
        for values, count in tuple(self.counts.items()):
            family.add_metric(values, count)
        yield family


SOCKETS = Tally("fieldhub_sockets", "Connected sockets by namespace.", ["namespace"], kind=GaugeMetricFamily)
REQUESTS = Tally(
    "fieldhub_socket_requests", "Answers by namespace, request and outcome.", ["namespace", "name", "outcome"]
)
REFUSED = Counter("fieldhub_socket_refused", "Connections refused, by code.", ["namespace", "code"])
CLOSED = Counter("fieldhub_socket_closed", "Sockets closed by the server, by reason.", ["code"])
FACTS = Counter("fieldhub_facts_relayed", "Facts given a place in the feed.")
DELIVERIES = Tally("fieldhub_fact_deliveries", "Facts handed to sockets.", ["namespace"])
RELAY_LAG = Histogram(
    "fieldhub_relay_lag_seconds",
    "From the instant of the transaction to the hand-over to sockets.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
)
SEND_DROPS = Counter("fieldhub_send_drops", "Messages not sent because a socket was behind, by kind.", ["kind"])
FIXES = Tally("fieldhub_position_fixes", "Position fixes by verdict.", ["verdict"])
REPLAYS = Tally("fieldhub_resumes", "How connections joined the feed.", ["outcome"])
PROTOCOL_ERRORS = Counter("fieldhub_socket_protocol_errors", "Sessions ended because their peer broke the protocol.")
TURNED_AWAY = Counter("fieldhub_socket_turned_away", "Connections refused for want of room, by limit.", ["limit"])
