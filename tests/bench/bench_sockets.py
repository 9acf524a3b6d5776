"""Sockets beside Node's and Bun's `socket.io` and stock python-socketio: what a message costs the server, in CPU µs.

A server has one core and the load, a C program, another. Ratios above 1 mean that ours is cheaper. `floor` is a C loop
of bare `send` calls. `ours` is the transport alone; `ours full` is the whole program (tokens, limits, metrics, feed,
the position pipeline, PostgreSQL and Redis; its engines' own CPU is not counted). Values are `median [min..max]` of
rounds in which all servers took turns after a warm-up; rounds whose floor moved by more than 10 % do not count.

Fan-out is one room of 1,000 clients, each event in a loop turn of its own or all in one turn. An acked request is one
of 100 clients with one in flight each. Order tracking is 1,000 clients in rooms of four, 10,000 requests a second at
planned instants, each acked and relayed to three; its latency is from plan to receipt. Live values are 100 keys with
new values every 10 ms for 1,000 clients; what is conflated or dropped is not a delivery. A position is a request with
ack of one of 1,000 workers: Node relays each to one watcher; the hub checks, stores and indexes it, and tells the
customers of 50 of the workers at most once a second, as the product does. Dropping resets half of the idle connections
at once while 50 of the others ask, one every 5 ms. At connect Node checks an HS256 signature; the hub checks token,
session and worker, takes its place in the feed and says `ready`: to clients it has seen before, as in a storm of
returns, and `for the first time`, when it also asks PostgreSQL which worker an account is. Latencies and stalls are
wall-clock: a busy neighbour shows in them at once, in CPU µs less.

Aims and what stands in the way (py-spy with native frames). Fan-out of single events should be half of Node's and at
most 1/0.7 of the floor: nearly all of it is `write(2)` and the way there through the loop's transport, once for each
socket; a bare `send` on the descriptor would save some 6 % (measured), and only writing less often helps, which is what
a turn does. An acked request should be 1/1.7 of Node's: a third is writing, a fifth waiting for and reading events, the
rest is Python. A connect with token should be half of Node's: nobody is asked, and no task, timer or turn is spent on a
client that is known; of what is left a third is accepting and shaking hands, a third three writes, a third Python. A
position with everything on should cost what Node's bare relay costs: in a loop without pauses its Python takes 42 µs
(80 before rows were checked in one go, counters lost their locks and distances their sines), and a position in all
some 95 µs at 16,000 a second; at 4,000 a second each one wakes the process, finds its caches cold, and costs nearly
twice that. An idle program takes 5 % of a core, most of it for looking at the outbox every 20 ms: 13 µs of each.
"""

from __future__ import annotations

import json
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jwt

from tests.bench.sockets.full import Full, full_hub
from tests.bench.sockets.load import Load, Phase
from tests.bench.sockets.servers import Command, Missing, Server, commands, compiled, files_max, serving, serving_all
from tests.bench.sockets.table import Table, quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything."""

    rounds: int
    clients: int
    events: int
    echo_ms: int
    live_ms: int
    say_per_s: int
    say_ms: int
    positions_per_s: int
    position_ms: int
    probe_ms: int
    trips: int
    held: int  # idle connections, half of which are dropped


FULL = Sizes(
    rounds=5, clients=1_000, events=40, echo_ms=500, live_ms=300, say_per_s=10_000, say_ms=1_000,
    positions_per_s=4_000, position_ms=1_000, trips=50, held=10_000, probe_ms=1_500,
)  # fmt: skip
QUICK = Sizes(
    rounds=1, clients=200, events=20, echo_ms=200, live_ms=200, say_per_s=2_000, say_ms=300,
    positions_per_s=800, position_ms=500, trips=5, held=1_000, probe_ms=500,
)  # fmt: skip
SPARE_FILES = 500
SPARE_ROUNDS = 2
"""So many more are tried when a neighbour disturbed some."""

TURN, BURST = "fan-out, one event a turn, CPU µs per delivery", "fan-out, all in one turn, CPU µs per delivery"
ACKED, RELAYED = "acked request, CPU µs", "order tracking, CPU µs per request"
LIVE, CONNECT = "live value, CPU µs per delivery", "connect, CPU µs"
TRACKED_P99, COLD_P99 = "order tracking, p99 µs", "order tracking, p99 µs in the first 3 s"
SIGNED, POSITION = "connect with token, CPU µs", "position, CPU µs"
FIRST = "connect with token for the first time, CPU µs"
MEMORY, DROPPED, STALL = "idle connection, KiB", "dropped client, CPU µs", "stall while they drop, ms"


def run(quick: bool) -> dict[str, Any]:
    notes: list[str] = []
    try:
        programs = compiled()
    except Missing as missing:
        print(f"sockets: not measured: {missing}", file=sys.stderr)
        return {"not measured": str(missing)}
    found = commands(programs["floor"], notes.append)
    sizes = QUICK if quick else FULL
    if (held := files_max() - SPARE_FILES) < sizes.held:
        notes.append(f"{held:,} idle connections instead of {sizes.held:,}: the limit of open files")
        sizes = replace(sizes, held=held)
    bench = Bench(Load(programs["load"]), found, sizes)
    bench.take_turns()
    bench.start_cold()
    bench.hold()
    notes += bench.measure_full()
    for note in notes:
        print(f"sockets: {note}", file=sys.stderr)
    return bench.figures() | ({"notes": "; ".join(notes)} if notes else {})


class Bench:
    """One run."""

    def __init__(self, load: Load, found: dict[str, Command], sizes: Sizes) -> None:
        self.load = load
        self.found = found
        self.sizes = sizes
        self.table = Table()
        self.rounds = ""
        self.extra: dict[str, Any] = {}

    # -- all servers in turn --------------------------------------------------------------------------------------

    def take_turns(self) -> None:
        """Rounds over living servers; the first warms them up."""
        done: list[Table] = []
        with serving_all(self.found) as servers:
            for server in servers:
                self._turn(server, Table())
            while len(done) < self.sizes.rounds + SPARE_ROUNDS:
                done.append(Table())
                for server in servers[len(done) % len(servers) :] + servers[: len(done) % len(servers)]:
                    self._turn(server, done[-1])
                kept = quiet([one.samples[TURN]["floor"][0] for one in done])
                if len(kept) >= self.sizes.rounds:
                    break
        self.rounds = f"{len(kept)} of {len(done)}"
        for number in kept:
            self.table.take(done[number])

    def _turn(self, server: Server, table: Table) -> None:
        sizes, is_stock = self.sizes, server.name == "stock"
        events = sizes.events // 10 if is_stock else sizes.events
        phases = [f"fanout:turn:{events}", f"fanout:burst:{events}", f"echo:100:{sizes.echo_ms}"]
        measures = [CONNECT, TURN, BURST, ACKED]
        if server.name in ("ours", "node", "bun"):
            phases += [f"rate:say:{sizes.say_per_s}:{sizes.say_ms}:1", f"live:{sizes.live_ms}:100"]
            measures += [RELAYED, LIVE]
        _, *found = self.load.run(server, sizes.clients, *phases)
        for measure, phase in zip(measures, found, strict=True):
            table.add(measure, server.name, phase.each_us)
            if measure == RELAYED:
                table.add(TRACKED_P99, server.name, phase.p99_us)

    def start_cold(self) -> None:
        """What the first clients after a deployment feel."""
        sizes = self.sizes
        for name in ("ours", "node", "bun"):
            if name in self.found:
                with serving(name, self.found[name]) as server:
                    *_, phase = self.load.run(server, sizes.clients, f"rate:say:{sizes.say_per_s}:{3 * sizes.say_ms}:1")
                    self.table.add(COLD_P99, name, phase.p99_us)

    # -- many idle clients ----------------------------------------------------------------------------------------

    def hold(self) -> None:
        for name in ("ours", "node", "bun", "stock"):
            if name in self.found:
                with serving(name, self.found[name]) as server:
                    self._held(name, self.load.run(server, self.sizes.held, *self._holding()))

    def _holding(self) -> list[str]:
        return ["rss", f"drop:{self.sizes.held // 2}:{self.sizes.probe_ms}:50"]

    def _held(self, name: str, phases: list[Phase]) -> None:
        before, _connect, held, healthy, dropped = phases[:5]
        self.table.add(MEMORY, name, (held.rss - before.rss) / held.count / 1024)
        usual = healthy.cpu_us / healthy.seconds * dropped.seconds
        self.table.add(DROPPED, name, (dropped.cpu_us - usual) / dropped.count)
        self.table.add(STALL, name, dropped.max_us / 1_000)

    # -- the whole program ----------------------------------------------------------------------------------------

    def measure_full(self) -> list[str]:
        """Against Node in turns; then many clients, half of them dropped, and SIGTERM with the rest."""
        sizes = self.sizes
        with full_hub(sizes.held, sizes.trips) as full, ExitStack() as stack:
            nodes = stack.enter_context(signed_nodes(self.found, sizes.clients))
            self._position(full, Table(), nodes)
            for _ in range(sizes.rounds):
                self._position(full, self.table, nodes)
            phases = []
            for phase in self.load.stream(
                full.server, sizes.held, *self._holding(), "rss", "wait:30000", ns="/worker,", tokens=full.tokens
            ):
                phases.append(phase)
                if len(phases) == 6:
                    took_s = _stop(full)
            self._held("ours full", phases)
            self.table.add(FIRST, "ours full", phases[1].each_us)
            gone = phases[-1]
            self.extra[f"SIGTERM to exit with {phases[5].count:,} clients, s"] = took_s
            self.extra["of them told why"] = gone.closings
        return [] if nodes else ["connects with tokens and positions have nothing to be compared with"]

    def _position(self, full: Full, table: Table, nodes: list[tuple[Server, Path]]) -> None:
        sizes = self.sizes
        heard = full.watchers.heard
        at_rate = f"rate:position:{sizes.positions_per_s}:{sizes.position_ms}"
        _, connect, phase = self.load.run(full.server, sizes.clients, f"{at_rate}:1", ns="/worker,", tokens=full.tokens)
        table.add(SIGNED, "ours full", connect.each_us)
        table.add(POSITION, "ours full", phase.each_us)
        table.add("positions told to customers", "ours full", full.watchers.heard - heard)
        for server, tokens in nodes:
            # twice the clients: every second one only watches
            _, connect, phase = self.load.run(server, 2 * sizes.clients, f"{at_rate}:2", group=2, tokens=tokens)
            table.add(SIGNED, server.name, connect.each_us)
            table.add(POSITION, server.name, phase.each_us)

    # -- the page -------------------------------------------------------------------------------------------------

    def figures(self) -> dict[str, Any]:
        table, rows = self.table, {}
        for measure in (TURN, BURST, ACKED, RELAYED, LIVE, CONNECT, TRACKED_P99, COLD_P99, MEMORY, DROPPED, STALL):
            rows |= table.ratios(measure, "ours", ("node", "bun", "stock", "floor"))
        for measure in (SIGNED, POSITION, MEMORY, DROPPED, STALL):
            rows |= table.ratios(measure, "ours full", ("node",))
        for measure in table.measures():
            rows |= table.row(measure)
        return rows | {"rounds kept": self.rounds} | self.extra


def _stop(full: Full) -> float:
    assert full.live.process is not None
    began = time.monotonic()
    full.live.process.send_signal(signal.SIGTERM)
    full.live.process.wait(60)
    return time.monotonic() - began


@contextmanager
def signed_nodes(found: dict[str, Command], clients: int) -> Iterator[list[tuple[Server, Path]]]:
    """Node with an HS256 check at connect, and its tokens; nothing when Node is left out."""
    if "node" not in found:
        yield []
        return
    secret = secrets.token_urlsafe(32)
    with tempfile.NamedTemporaryFile("w", prefix="fieldhub-bench-") as file:
        claims = {"exp": int(time.time()) + 3_600, "sid": "ses_" + "0" * 26, "roles": ["technician", "user"]}
        for number in range(2 * clients):
            file.write(jwt.encode(claims | {"sub": f"acc_{number:026}"}, secret, "HS256") + "\n")
        file.flush()
        with serving("node", found["node"], secret) as server:
            yield [(server, Path(file.name))]


if __name__ == "__main__":
    print(json.dumps(run("--quick" in sys.argv), indent=2, ensure_ascii=False))
