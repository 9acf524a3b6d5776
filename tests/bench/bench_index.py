"""How many exact k-nearest questions a second, alone and while positions stream in; Redis beside it.

`python -m tests.bench.bench_index [--quick]`. The setting: workers spread over cities of 50 by 50 km, 20
services, four of five online, 20 nearest within 5 km. Rates of the index are per second of one core's CPU time,
those of Redis, which answers on another core, per second on the wall. `index_over_redis` compares both on the wall,
a hundred questions each in turn.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis

from geo.distance import haversine_m
from geo.index import LiveIndex
from geo.point import Point
from storage import engines

START = datetime(2026, 1, 5, tzinfo=UTC)
SERVICES = [f"service_{number}" for number in range(20)]
K, RADIUS_M = 20, 5_000.0
UPDATES_PER_S = 10_000


@dataclass(frozen=True, slots=True)
class World:
    """Workers with their services and places, and the questions to ask."""

    places: dict[str, Point]
    services: dict[str, str]
    online: frozenset[str]
    questions: list[tuple[str, Point]]

    @classmethod
    def make(cls, workers: int, cities: int, questions: int, seed: int = 20260105) -> World:
        rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
        centres = [Point(rng.uniform(100, 120), rng.uniform(24, 42)) for _ in range(cities)]

        def somewhere(spread: float) -> Point:
            centre = rng.choice(centres)
            return Point(centre.lon + rng.uniform(-0.28, 0.28) * spread, centre.lat + rng.uniform(-0.22, 0.22) * spread)

        places = {f"wrk_{number}": somewhere(1.0) for number in range(workers)}
        return cls(
            places,
            {worker: rng.choice(SERVICES) for worker in places},
            frozenset(worker for worker in places if rng.random() < 0.8),
            [(rng.choice(SERVICES), somewhere(0.9)) for _ in range(questions)],
        )

    def steps(self, count: int, seed: int = 7) -> list[tuple[str, Point, datetime]]:
        """Fixes of random workers that have gone up to 100 m."""
        rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
        workers, steps = list(self.places), []
        for number in range(count):
            worker = rng.choice(workers)
            lon, lat = self.places[worker]
            place = self.places[worker] = Point(lon + rng.uniform(-0.001, 0.001), lat + rng.uniform(-0.001, 0.001))
            steps.append((worker, place, START + timedelta(seconds=number / UPDATES_PER_S)))
        return steps


def run(quick: bool) -> dict[str, float]:
    """Figures by name, rates per second and times in microseconds."""
    settings = [(10_000, 1), (100_000, 10)] if quick else [(10_000, 1), (100_000, 10), (100_000, 1)]
    questions, figures = 2_000 if quick else 10_000, dict[str, float]()
    for workers, cities in settings:
        world = World.make(workers, cities, questions)
        name = f"{workers // 1000}k_{cities}"
        index = LiveIndex()
        figures |= {f"index_{name}_{figure}": value for figure, value in _index(index, world).items()}
        with _redis_client() as client:
            mine, redis_times = _in_turn(index, client, world)
        figures |= {f"redis_{name}_{figure}": value for figure, value in _rates(redis_times).items()}
        figures[f"index_over_redis_{name}"] = sum(redis_times) / sum(mine)
    return figures


def _index(index: LiveIndex, world: World) -> dict[str, float]:
    begun = time.process_time()
    for worker, place in world.places.items():
        index.upsert(worker, [world.services[worker]], place, START, online=worker in world.online)
    figures = {"build_s": time.process_time() - begun}
    _compare_with_scan(index, world)
    steps = world.steps(50_000)
    figures["updates_per_s"] = _rate(lambda step: index.move(*step), steps)

    def ask(question: tuple[str, Point]) -> object:
        service, point = question
        return index.nearest(service, point, K, RADIUS_M)

    figures |= _rates([_took(ask, question, time.process_time) for question in world.questions])
    figures["mixed_knn_per_s"] = _mixed(index, world)
    return figures


def _mixed(index: LiveIndex, world: World) -> float:
    """Questions answered in one core second that also takes in `UPDATES_PER_S` fixes."""
    asked = 0
    budget_s = 1.0
    steps = iter(world.steps(UPDATES_PER_S, seed=8))
    begun = time.process_time()
    while (spent := time.process_time() - begun) < budget_s:
        for _ in range(20):
            service, point = world.questions[asked % len(world.questions)]
            index.nearest(service, point, K, RADIUS_M)
            asked += 1
        # Catch up with the stream: as many fixes as the elapsed part of the second brings.
        for worker, place, at in _take(steps, spent * UPDATES_PER_S):
            index.move(worker, place, at + timedelta(seconds=60))
    return asked / (time.process_time() - begun)


def _take(steps: Iterator[tuple[str, Point, datetime]], until: float) -> Iterator[tuple[str, Point, datetime]]:
    for step in steps:
        yield step
        if (step[2] - START).total_seconds() * UPDATES_PER_S >= until:
            return


def _compare_with_scan(index: LiveIndex, world: World) -> None:
    """A fast wrong answer is worth nothing: some questions are checked against all workers."""
    for service, point in world.questions[:20]:
        scan = sorted(
            (haversine_m(point, place), worker)
            for worker, place in world.places.items()
            if world.services[worker] == service and worker in world.online
        )[:K]
        expected = [pair for pair in scan if pair[0] <= RADIUS_M]
        found = [(one.distance_m, one.worker_id) for one in index.nearest(service, point, K, RADIUS_M)]
        if found != expected:
            raise AssertionError(f"{service} at {point}: {found} is not {expected}")


@contextmanager
def _redis_client() -> Iterator[Any]:
    url = os.environ.get("FIELDHUB_REDIS_URL")
    if url:
        yield redis.from_url(url)
        return
    with tempfile.TemporaryDirectory() as folder:
        engine = engines.start_redis(Path(folder))
        try:
            yield redis.from_url(engine.url)
        finally:
            engine.stop()


def _in_turn(index: LiveIndex, client: Any, world: World) -> tuple[list[float], list[float]]:
    """Seconds on the wall of the index and of GEOSEARCH, over one key per service holding only who is online."""
    prefix = f"fieldhub:bench:{os.getpid()}:"
    pipeline = client.pipeline(transaction=False)
    for worker in world.online:
        pipeline.geoadd(prefix + world.services[worker], (*world.places[worker], worker))
    pipeline.execute()

    def ask(question: tuple[str, Point]) -> object:
        service, point = question
        return client.geosearch(
            prefix + service, longitude=point.lon, latitude=point.lat, radius=RADIUS_M, unit="m",
            sort="ASC", count=K, withdist=True,
        )  # fmt: skip

    def ask_index(question: tuple[str, Point]) -> object:
        service, point = question
        return index.nearest(service, point, K, RADIUS_M)

    mine, theirs = list[float](), list[float]()
    for first in range(0, 2_000, 100):
        some = world.questions[first : first + 100]
        theirs += [_took(ask, question, time.perf_counter) for question in some]
        mine += [_took(ask_index, question, time.perf_counter) for question in some]
    client.delete(*[prefix + service for service in SERVICES])
    return mine, theirs


def _rate(do: Callable[[Any], object], items: list[Any]) -> float:
    begun = time.process_time()
    for item in items:
        do(item)
    return len(items) / (time.process_time() - begun)


def _took(do: Callable[[Any], object], item: object, clock: Callable[[], float]) -> float:
    begun = clock()
    do(item)
    return clock() - begun


def _rates(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "knn_per_s": len(times) / sum(times),
        "p50_us": ordered[len(times) // 2] * 1e6,
        "p99_us": ordered[len(times) * 99 // 100] * 1e6,
    }


def table(figures: dict[str, float]) -> str:
    """One line a setting: the index alone, under updates, and Redis."""
    columns = ["index_knn_per_s", "index_p99_us", "index_mixed_knn_per_s", "index_updates_per_s"]
    columns += ["redis_knn_per_s", "redis_p99_us"]
    lines = [f"{'workers_cities':<16}" + "".join(f"{column:>23}" for column in columns)]
    for setting in dict.fromkeys(name.split("_", 1)[1].rsplit("_build_s")[0] for name in figures):
        if f"index_{setting}_build_s" not in figures:
            continue
        cells = [figures[f"{kind}_{setting}_{rest}"] for kind, rest in (c.split("_", 1) for c in columns)]
        lines.append(f"{setting:<16}" + "".join(f"{cell:>23,.0f}" for cell in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(run("--quick" in sys.argv)))
