"""Counters of the HTTP edge for /metrics."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

REQUESTS = Counter("fieldhub_http_requests", "Answers by operation and status.", ["operation", "status"])
SECONDS = Histogram(
    "fieldhub_http_request_seconds",
    "Time from request to answer.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class Meter:
    """The counters of one operation, looked up once."""

    __slots__ = ("_by_status", "_seconds", "name")

    def __init__(self, operation: str) -> None:
        self.name = operation
        self._seconds = SECONDS.labels(operation)
        self._by_status: dict[int, Counter] = {}

    def count(self, status: int, seconds: float) -> None:
        counter = self._by_status.get(status)
        if counter is None:
            counter = self._by_status[status] = REQUESTS.labels(self.name, str(status))
        counter.inc()
        self._seconds.observe(seconds)
