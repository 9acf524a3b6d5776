"""From a fact in the feed to the sockets that may hear it.

A fact is encoded once for each (namespace, coordinate system) in which somebody listens. A member that is still
reading the gap before it keeps the fact in `buffered`; `hub.resume` sends it in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from geo.datum import Crs, from_wgs84
from geo.point import Point
from hub import metrics
from hub.closing import Closer
from hub.members import Audiences, Dialect, Member
from hub.transport.outbound import Put
from hub.transport.packets import Frame, event_frame
from storage.base import codec
from storage.base.clock import Clock
from storage.base.log import log
from storage.outbox import FeedFact

BUFFERED_MAX = 2_000
"""Facts a joining member may collect; more than that in the moment of a replay means something is very wrong."""

Listener = Callable[[FeedFact, dict[str, Any]], None]


class Delivery:
    """Hands facts to members and to the hub's own listeners, in feed order. Never waits."""

    def __init__(self, audiences: Audiences, clock: Clock, close: Closer) -> None:
        self._audiences = audiences
        self._clock = clock
        self._close = close
        self._listeners: dict[str, list[Listener]] = {}

    def listen(self, topic: str, listener: Listener) -> None:
        """Tell the hub itself of every fact with this topic, before sockets hear it."""
        self._listeners.setdefault(topic, []).append(listener)

    def deliver(self, fact: FeedFact) -> None:
        """Every member in the fact's audience gets it once."""
        self._tell_hub(fact)
        frames: dict[Dialect, Frame] = {}
        for member in self._audiences.listeners(fact.audience):
            if fact.seq <= member.replayed_to:
                continue
            dialect = member.dialect
            frame = frames.get(dialect)
            if frame is None:
                frame = frames[dialect] = fact_frame(fact, *dialect)
            if member.buffered is None:
                self.send(member, frame)
            elif len(member.buffered) < BUFFERED_MAX:
                member.buffered.append((fact.seq, frame))
            else:
                self.give_up(member)
        metrics.RELAY_LAG.observe(max(0.0, (self._clock.now() - fact.at).total_seconds()))

    def send(self, member: Member, frame: Frame) -> None:
        """Queue a fact; a member that cannot take it is closed and resumes later."""
        outcome = member.link.send(frame)
        if outcome is Put.FULL:
            self.give_up(member)
        elif outcome is Put.QUEUED:
            metrics.DELIVERIES.counts[member.namespace,] += 1

    def give_up(self, member: Member) -> None:
        """This member does not keep up: it comes back and resumes."""
        metrics.SEND_DROPS.labels("fact").inc()
        self._close(member, "slow")

    def _tell_hub(self, fact: FeedFact) -> None:
        listeners = self._listeners.get(fact.topic)
        if not listeners:
            return
        body = codec.loads(fact.body)
        for listener in listeners:
            try:
                listener(fact, body)
            except Exception as problem:  # noqa: BLE001 - one fact must not stop the feed of everybody
                log("hub.listener_failed", level="error", error=problem, topic=fact.topic, seq=fact.seq)


def fact_frame(fact: FeedFact, namespace: str, crs: Crs, has_offset: bool) -> Frame:
    """`42/worker,["offer.made",{"id":…,"seq":…,"at":…, …}]`, in the client's coordinate system.

    With an offset, the seq stands once more after the body, as a string.
    """
    body = fact.body if crs == "wgs84" else codec.dumps(_moved(codec.loads(fact.body), crs)).decode()
    head = codec.dumps({"id": fact.fact_id, "seq": fact.seq, "at": fact.at})
    rest = body.strip()[1:].lstrip()
    joint = b"" if rest.startswith("}") else b","
    offset = b',"%d"' % fact.seq if has_offset else b""
    return event_frame(namespace, fact.topic, head[:-1] + joint + rest.encode() + offset)


def _moved(value: Any, crs: Crs) -> Any:  # noqa: ANN401 - any JSON value
    """Every JSON object with `lon` and `lat` is a place; move them all. WGS-84 is what facts are written in."""
    if isinstance(value, dict):
        moved = {name: _moved(part, crs) for name, part in value.items()}
        if isinstance(value.get("lon"), int | float) and isinstance(value.get("lat"), int | float):
            moved["lon"], moved["lat"] = from_wgs84(Point(value["lon"], value["lat"]), crs)
        return moved
    if isinstance(value, list):
        return [_moved(part, crs) for part in value]
    return value
