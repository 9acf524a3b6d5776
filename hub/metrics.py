"""Counters of the socket edge for /metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SOCKETS = Gauge("fieldhub_sockets", "Connected sockets by namespace.", ["namespace"])
REQUESTS = Counter(
    "fieldhub_socket_requests", "Answers by namespace, request and outcome.", ["namespace", "name", "outcome"]
)
REFUSED = Counter("fieldhub_socket_refused", "Connections refused, by code.", ["namespace", "code"])
CLOSED = Counter("fieldhub_socket_closed", "Sockets closed by the server, by reason.", ["code"])
FACTS = Counter("fieldhub_facts_relayed", "Facts given a place in the feed.")
DELIVERIES = Counter("fieldhub_fact_deliveries", "Facts handed to sockets.", ["namespace"])
RELAY_LAG = Histogram(
    "fieldhub_relay_lag_seconds",
    "From the instant of the transaction to the hand-over to sockets.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
)
SEND_DROPS = Counter("fieldhub_send_drops", "Messages not sent because a socket was behind, by kind.", ["kind"])
FIXES = Counter("fieldhub_position_fixes", "Position fixes by verdict.", ["verdict"])
REPLAYS = Counter("fieldhub_resumes", "How connections joined the feed.", ["outcome"])
PROTOCOL_ERRORS = Counter("fieldhub_socket_protocol_errors", "Sessions ended because their peer broke the protocol.")
TURNED_AWAY = Counter("fieldhub_socket_turned_away", "Connections refused for want of room, by limit.", ["limit"])
