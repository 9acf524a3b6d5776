"""`run.py replay`: real trips as technicians, real sockets, and an oracle at the end.

Exit status: 0 nothing found, 1 findings, 2 the run could not begin.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import signal
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import uvloop
from shapely.geometry import box

from tests.live import Live
from tests.replay.accounts import (
    Command,
    People,
    SetUpFailed,
    here,
    is_local,
    make_people,
    open_areas,
    people_of,
)
from tests.replay.api import No, Unreachable
from tests.replay.drive import Cast, Plan, customers_for, drive
from tests.replay.places import (
    AreasError,
    Places,
    Region,
    areas_of,
    brought_inside,
    largest_whole,
    points_of,
    read_areas,
    square_around,
)
from tests.replay.report import Outcome, Progress
from tests.replay.synthetic import wander
from tests.replay.trips import Trip, TripsError, read

SYNTHETIC_WORKERS = 60
STAFF = 3
ORDERS_SHARE = 0.2  # of workers, when --orders is not given
ORDERS_MIN = 20
DEMO = Region("990199", "Replay", box(104.03, 30.62, 104.11, 30.70))
"""Where synthetic technicians drive when neither the hub nor the caller has areas."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where the run takes place."""

    trips: tuple[Trip, ...]
    places: Places
    codes: tuple[str, ...]
    is_new: bool  # the hub does not know these areas yet


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; the exit status."""
    options = _parser().parse_args(argv)
    progress = Progress()
    try:
        with _hub(options, progress) as (url, command):
            return _rounds(options, url, command, progress)
    except (TripsError, AreasError, SetUpFailed, RuntimeError, OSError, No, Unreachable) as problem:
        print(f"replay: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py replay", description=__doc__)
    add = parser.add_argument
    add("--trips", type=Path, metavar="FILE", help="taxi JSON lines, or CSV of cars or tracks; synthetic without")
    add("--crs", choices=("wgs84", "gcj02"), help="datum of the trips (by kind: taxi and cars gcj02, tracks wgs84)")
    add("--areas", type=Path, metavar="FILE", help="GeoJSON areas; those of the hub, or a square around the trips")
    add("--areas-crs", choices=("gcj02", "wgs84"), default="gcj02", help="datum of the areas file (gcj02)")
    add("--orders", type=_positive, metavar="N", help="orders in all (a fifth of the workers, at least 20)")
    add("--workers", type=_positive, metavar="N", help="technicians (one for each trip)")
    add("--speed", type=_speed, default=4.0, metavar="X", help="how much faster than real time people move (4)")
    add("--seed", type=int, default=1, metavar="S", help="decides who does what (1)")
    add("--hub", metavar="URL", help="a hub that runs already; without it one is started for the run")
    add("--tokens", type=Path, metavar="FILE", help="accounts from `run.py accounts create --tokens` (with --hub)")
    add("--for", dest="for_s", type=_positive, default=1_200, metavar="SECONDS", help="longest day (1200)")
    add("--official", type=_share, default=0.25, metavar="SHARE", help="phones on the official client (0.25)")
    add("--log", type=Path, metavar="FILE", help="keep the log of the run's own hub here")
    add("--endless", action="store_true", help="one day after another until interrupted")
    add("--json", action="store_true", help="the last line is one JSON object")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _speed(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= 1000:
        raise argparse.ArgumentTypeError("must be between 0.1 and 1000")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be between 0 and 1")
    return value


@contextlib.contextmanager
def _hub(options: argparse.Namespace, progress: Progress) -> Iterator[tuple[str, Command | None]]:
    """A ready hub's URL, and how to run operators' commands on it (None: they cannot be run from here)."""
    if options.hub:
        url = options.hub.rstrip("/")
        _check_ready(url)
        yield url, here if is_local(url) else None
        return
    with tempfile.TemporaryDirectory(prefix="fieldhub-replay-") as folder, Live(Path(folder)) as live:
        progress.note(f"a hub of its own runs at {live.url}")
        try:
            yield live.url, live.command
        finally:
            if options.log:
                options.log.write_text(live.log)


def _check_ready(url: str) -> None:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=10):
            return
    except (urllib.error.URLError, OSError) as problem:
        raise SetUpFailed(f"no hub is ready at {url}: {problem}") from problem


def _rounds(options: argparse.Namespace, url: str, command: Command | None, progress: Progress) -> int:
    scene = _scene(options, url, progress)
    if scene.is_new:
        if command is None:
            raise SetUpFailed(f"import the areas on the machine of {url} first, then leave --areas out")
        open_areas(command, options.areas or scene.places.regions, options.areas_crs, scene.codes)
    cast = Cast.of(_people(options, scene, command), scene.trips, options.speed)
    status, seed = 0, options.seed
    while True:
        outcome = _one_day(_plan(options, url, scene, seed), scene, cast, progress)
        print(outcome.as_table())
        if options.json:
            print(outcome.as_json(), flush=True)
        status = max(status, 0 if outcome.is_ok else 1)
        if not options.endless or outcome.interrupted:
            return status
        seed += 1


def _one_day(plan: Plan, scene: Scene, cast: Cast, progress: Progress) -> Outcome:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop, interrupted = runner.get_loop(), asyncio.Event()

        def interrupt(number: int) -> None:
            """End the day in order; the next signal ends the program."""
            interrupted.set()
            loop.remove_signal_handler(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt, number)
        gc.freeze()  # trips and areas are here to stay; the collector need not look at them again
        return runner.run(drive(plan, scene.places, cast, progress, interrupted))


def _scene(options: argparse.Namespace, url: str, progress: Progress) -> Scene:
    """Trips and areas together. Raises TripsError, AreasError."""
    trips = read(options.trips, options.crs).trips if options.trips else ()
    if options.workers and trips:
        trips = tuple(trips[number % len(trips)] for number in range(options.workers))
    regions: list[Region] = []
    is_new = bool(options.areas)
    if options.areas:
        regions = read_areas(options.areas, options.areas_crs)
    elif options.hub or not trips:
        regions = _areas_of_hub(url)
    if not regions:
        is_new = True
        regions = [square_around(points_of(trips))] if trips else [DEMO]
    if trips:
        trips, note = brought_inside(trips, regions)
        if note:
            progress.note(note)
    else:
        trips = wander(largest_whole(regions), options.workers or SYNTHETIC_WORKERS, seed=options.seed)
    places = Places(regions, points_of(trips))
    return Scene(trips, places, tuple(places.codes()), is_new)


def _areas_of_hub(url: str) -> list[Region]:
    try:
        with urllib.request.urlopen(f"{url}/v1/areas.geojson", timeout=30) as answer:
            document = orjson.loads(answer.read())
    except (urllib.error.URLError, OSError, orjson.JSONDecodeError) as problem:
        raise SetUpFailed(f"the areas of {url} cannot be read: {problem}") from problem
    return areas_of(document, "wgs84", where=url) if document.get("features") else []


def _plan(options: argparse.Namespace, url: str, scene: Scene, seed: int) -> Plan:
    return Plan(
        url=url,
        orders=_orders(options, scene),
        seed=seed,
        speed=options.speed,
        for_s=float(options.for_s),
        official_share=options.official,
        open_codes=frozenset(scene.codes),
    )


def _orders(options: argparse.Namespace, scene: Scene) -> int:
    return options.orders or max(ORDERS_MIN, round(len(scene.trips) * ORDERS_SHARE))


def _people(options: argparse.Namespace, scene: Scene, command: Command | None) -> People:
    technicians, customers = len(scene.trips), customers_for(_orders(options, scene))
    if options.tokens:
        return people_of(options.tokens, technicians=technicians, customers=customers)
    if command is None:
        raise SetUpFailed("accounts of a hub on another machine come from a file: --tokens")
    return make_people(command, technicians=technicians, customers=customers, staff=STAFF)
