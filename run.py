"""fieldhub: wires everything and starts it. The only file that imports both edges; nobody can import it.

python run.py serve                      hub + REST + worker on one port, embedded engines unless URLs are set
python run.py serve --hubs 4             the same with four processes of hub + REST that share the port
python run.py hub | rest | worker        each alone, on as many machines as wanted (outside engines)
python run.py --help                     operators' commands
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from storage import engines, migrate, schema
from storage.base.errors import HubError
from storage.base.log import log
from storage.base.settings import PREFIX, Settings
from storage.postgres import Database
from storage.tx import Tx

if TYPE_CHECKING:
    from hub.process import Part
    from hub.supervisor import Supervisor

ROLES = {"serve": frozenset({"hub", "rest", "worker"}), "hub": frozenset({"hub"}), "rest": frozenset({"rest"}),
         "worker": frozenset({"worker"})}  # fmt: skip

HUBS_MAX = 16
"""More processes than a machine has cores serve nobody better, and each holds database connections."""

POOL_MIN = 4
LEAVE_MARGIN_S = 1.0
"""A hub that has not left this long after its drain is killed."""


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in DRIVERS:
        return DRIVERS[argv[0]](argv[1:])
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.command(arguments)
    except (ValueError, OSError, HubError, engines.EngineFailed, migrate.DatabaseTooNew) as problem:
        print(f"fieldhub: {problem}", file=sys.stderr)
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py", description="fieldhub, a realtime hub for on-demand field service")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, roles in ROLES.items():
        command = commands.add_parser(name, help=f"run {' + '.join(sorted(roles))}")
        command.set_defaults(command=serve, roles=roles, hubs=0)
        if name == "serve":
            command.add_argument("--hubs", type=_hubs, default=0, help="processes that share the port; 0: one for all")
    command = commands.add_parser("node", help="a hub of `serve --hubs`; started by it")
    command.add_argument("--hubs", type=_hubs, required=True)
    command.add_argument("--parent", type=int, required=True)
    command.set_defaults(command=serve_node)
    command = commands.add_parser("migrate", help="bring the database up to date")
    command.add_argument("--write-schema", action="store_true", help="also write storage/schema.sql")
    command.set_defaults(command=migrate_database)
    _add_areas(commands)
    _add_accounts(commands)
    _add_homeservice(commands)
    _add_ledger(commands)
    command = commands.add_parser("reconcile", help="compare a day with the channels' bills; status 1 when it differs")
    command.add_argument("--day", type=date.fromisoformat, required=True, help="a day that is over, as 2026-11-27")
    command.set_defaults(command=reconcile)
    command = commands.add_parser("channels", help="simulate WeChat Pay and Alipay; in dev mode `serve` does")
    command.add_argument("--port", type=int, default=8090)
    command.set_defaults(command=simulate_channels)
    commands.add_parser("replay", help="drive real clients over real trajectories (replay --help)")
    commands.add_parser("bench", help="measure and write docs/benchmarks.md (bench --help)")
    return parser


def _hubs(value: str) -> int:
    if not 0 <= int(value) <= HUBS_MAX:
        raise argparse.ArgumentTypeError(f"0 to {HUBS_MAX}")
    return int(value)


def _add_areas(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    areas = commands.add_parser("areas", help="service areas").add_subparsers(required=True, metavar="VERB")
    command = areas.add_parser("import", help="read areas from a GeoJSON file")
    command.add_argument("file", type=Path)
    command.add_argument("--crs", choices=("gcj02", "wgs84"), required=True, help="datum of the file")
    command.add_argument("--code-field", default="adcode", help="property that holds the 6-digit code")
    command.set_defaults(command=import_areas)


def _add_accounts(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    accounts = commands.add_parser("accounts", help="accounts").add_subparsers(required=True, metavar="VERB")
    command = accounts.add_parser("create", help="make accounts for operators and load tests")
    command.add_argument("--role", required=True)
    command.add_argument("--count", type=int, default=1)
    command.add_argument("--tokens", type=Path, help="write one JSON line with tokens per account")
    command.add_argument("--ttl", type=int, default=86_400, help="life of the access tokens, seconds")
    command.set_defaults(command=create_accounts)


def _add_homeservice(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    line = commands.add_parser("homeservice", help="home service").add_subparsers(required=True, metavar="VERB")
    command = line.add_parser("open-region", help="open imported areas with the demo items and prices")
    command.add_argument("codes", nargs="*", help="6-digit codes; all areas when none is given")
    command.set_defaults(command=open_region)
    command = line.add_parser("seed", help="make the demo town: districts, items, people")
    command.set_defaults(command=seed_demo)


def _add_ledger(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    ledger = commands.add_parser("ledger", help="the book of all money").add_subparsers(required=True, metavar="VERB")
    command = ledger.add_parser("verify", help="prove the whole book; status 1 when anything is wrong with it")
    command.add_argument("--json", action="store_true", help="sizes and all faults as one JSON object")
    command.set_defaults(command=verify_ledger)


# Settings and engines


def _settings() -> Settings:
    """Settings of the environment; in dev mode a secret is made once and kept beside the data."""
    settings = Settings.from_env()
    if settings.secret:
        return settings
    path = settings.data_path / "secret"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(48))
    return dataclasses.replace(settings, secret=path.read_text().strip())


def _with_database(work: Callable[[Database, Settings], Awaitable[int]]) -> int:
    """Run an operator's command on the migrated database."""
    settings = _settings()

    async def run(url: str) -> int:
        await migrate.migrate(url)
        db = await Database.connect(url, pool_size=4)
        try:
            return await work(db, settings)
        finally:
            await db.close()

    with engines.addresses(settings, own=False) as (postgres_url, _):
        return asyncio.run(run(postgres_url))


# Commands


def serve(arguments: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM, then drain and stop in the reverse order of the start.

    With `--hubs` this process keeps engines and worker to itself and has no port: /health of the port then always means
    a hub, and a hub that must be killed takes neither deadlines nor the relay with it.
    """
    from hub.process import Part  # imports everything; commands need not wait for it
    from rest.money.channels.simulator import simulated
    from rest.reach.simulator import simulated as notices_simulated

    settings = _settings()
    roles: frozenset[str] = arguments.roles
    if roles != ROLES["serve"] and not (settings.database_url and settings.redis_url):
        raise ValueError("a process of its own needs FIELDHUB_DATABASE_URL and FIELDHUB_REDIS_URL")
    with engines.addresses(settings, own=True) as (postgres_url, redis_url):
        found = dataclasses.replace(settings, database_url=postgres_url, redis_url=redis_url)
        found, simulator_port = simulated(found) if roles == ROLES["serve"] else (found, 0)
        found, notices_port = notices_simulated(found) if roles == ROLES["serve"] else (found, 0)
        if arguments.hubs:
            keeper = _supervisor(found, arguments.hubs)
            part = Part(
                roles=ROLES["worker"], listens=False, simulator_port=simulator_port, notices_port=notices_port
            )
            status = _run(found, part, _banner, keeper)
        else:
            status = _run(found, Part(roles=roles, simulator_port=simulator_port, notices_port=notices_port), _banner)
    log("process.stopped", status=status)
    return status


def serve_node(arguments: argparse.Namespace) -> int:
    """One hub of several on a port: run until told to leave, or until the parent has died."""
    from hub.process import Part
    from hub.supervisor import leave_with

    leave_with(arguments.parent)
    settings = _settings()
    part = Part(roles=ROLES["hub"] | ROLES["rest"], hubs=arguments.hubs)
    return _run(settings, part, lambda _lines: _banner(["ready"]), leave_s=settings.drain_s + LEAVE_MARGIN_S)


def _run(
    settings: Settings,
    part: Part,
    banner: Callable[[list[str]], None],
    supervisor: Supervisor | None = None,
    leave_s: float | None = None,
) -> int:
    """The status to leave with: 1 when a part has died, so that whoever watches starts us again."""
    import uvloop  # the loop is for servers only

    from hub.process import run_process

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        work = run_process(settings, part, _Stopping(leave_s).arm, banner=banner, supervisor=supervisor)
        return 0 if runner.run(work) else 1


def _supervisor(settings: Settings, hubs: int) -> Supervisor:
    """The keeper of the hubs. They share what one process may open of the database."""
    from hub.supervisor import Supervisor
    from rest.money.channels.simulator import channel_fields

    command = [sys.executable, str(Path(__file__).resolve()), "node", "--hubs", str(hubs), "--parent", str(os.getpid())]
    shared = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "DB_POOL_SIZE": str(max(POOL_MIN, settings.db_pool_size // hubs)),
    }
    shared |= {name.upper(): value for name, value in channel_fields(settings).items()}
    env = os.environ | {PREFIX + name: value for name, value in shared.items()}
    return Supervisor(command, env, count=hubs, leave_s=settings.drain_s + LEAVE_MARGIN_S)


class _Stopping:
    """SIGINT and SIGTERM as an event; a second one, a second or more later, ends the process at once.

    SIGHUP replaces the hubs of this process one after the other, where it has some.
    Wrappers such as `timeout` send the same signal to the process and to its group: that is one wish, not two.
    """

    def __init__(self, leave_s: float | None) -> None:
        """With `leave_s` the process ends this long after it was asked to, whatever it still waits for."""
        self._leave_s = leave_s

    def arm(self, supervisor: Supervisor | None) -> asyncio.Event:
        event, loop = asyncio.Event(), asyncio.get_running_loop()
        asked_at = 0.0

        def stop() -> None:
            nonlocal asked_at
            if event.is_set() and loop.time() - asked_at > 1.0:
                os._exit(1)
            if not event.is_set() and self._leave_s is not None:
                loop.call_later(self._leave_s, os._exit, 1)
            asked_at = asked_at if event.is_set() else loop.time()
            event.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        if supervisor is not None:
            loop.add_signal_handler(signal.SIGHUP, supervisor.replace_all)
        return event


def _banner(lines: list[str]) -> None:
    print("\n".join(lines), flush=True)


def migrate_database(arguments: argparse.Namespace) -> int:
    settings = _settings()

    async def run(url: str) -> None:
        for name in await migrate.migrate(url):
            print(name)
        if arguments.write_schema:
            schema.SCHEMA.write_text(await schema.picture(url))

    with engines.addresses(settings, own=False) as (postgres_url, _):
        asyncio.run(run(postgres_url))
    return 0


def import_areas(arguments: argparse.Namespace) -> int:
    from geo.areas.actions import import_areas as save
    from geo.areas.importer import parse_areas

    parsed = parse_areas(arguments.file.read_bytes(), crs=arguments.crs, code_field=arguments.code_field)

    async def run(db: Database, _settings: Settings) -> int:
        print(await db.run(save, parsed))
        return 0

    return _with_database(run)


def create_accounts(arguments: argparse.Namespace) -> int:
    from rest.lines.homeservice.demo import operators_accounts

    async def run(db: Database, settings: Settings) -> int:
        rows = await operators_accounts(db, settings, arguments.role, arguments.count, ttl_s=arguments.ttl)
        _write_tokens(arguments.tokens, rows)
        print(f"{len(rows)} accounts with role {arguments.role}")
        return 0

    return _with_database(run)


def _write_tokens(path: Path | None, rows: list[dict[str, object]]) -> None:
    if path is None:
        return
    from storage.base import codec

    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.writelines(codec.dumps(row) + b"\n" for row in rows)


def open_region(arguments: argparse.Namespace) -> int:
    from rest.lines.homeservice.demo import open_region as open_codes

    async def run(db: Database, _settings: Settings) -> int:
        print(f"open: {', '.join(await db.run(open_codes, arguments.codes))}")
        return 0

    return _with_database(run)


def seed_demo(_arguments: argparse.Namespace) -> int:
    from rest.lines.homeservice.demo import seed

    async def run(db: Database, _settings: Settings) -> int:
        print("seeded" if await db.run(seed) else "nothing to do")
        return 0

    return _with_database(run)


def verify_ledger(arguments: argparse.Namespace) -> int:
    """The book by itself, then against what it is the book of."""
    from rest.money import ledger
    from rest.money.payments import audit as payments
    from rest.trade.orders import audit as orders
    from storage.base import codec

    async def prove(tx: Tx) -> tuple[dict[str, int], list[str]]:
        checks = (ledger.verify, payments.verify, orders.verify)
        return await ledger.size(tx), [fault for verify in checks for fault in await verify(tx)]

    async def run(db: Database, _settings: Settings) -> int:
        size, faults = await db.run(prove)
        if arguments.json:
            print(codec.dumps({"right": not faults, **size, "faults": faults}).decode())
        else:
            counted = ", ".join(f"{count} {name}" for name, count in size.items())
            print("\n".join([*faults, f"{counted}: {len(faults)} faults" if faults else f"{counted}: all is right"]))
        return 1 if faults else 0

    return _with_database(run)


def reconcile(arguments: argparse.Namespace) -> int:
    """A day of every channel that is set up, as the morning's job does it."""
    from rest.money.channels import open_channels
    from rest.money.reconciliation.jobs import compare_now

    async def run(db: Database, settings: Settings) -> int:
        channels = open_channels(settings, db.clock)
        try:
            ended = await compare_now(db, channels, settings, arguments.day)
        finally:
            await channels.close()
        for one in ended:
            sums = f"{one.sums.line_count} lines, {one.difference_count} differences, {one.open_count} open"
            print(f"{one.channel} {one.period_on} {one.state.value}: {one.problem or sums}")
        return 0 if all(one.state.value in {"balanced", "closed"} for one in ended) else 1

    return _with_database(run)


def simulate_channels(arguments: argparse.Namespace) -> int:
    """Pretend to be both channels until SIGINT or SIGTERM; says which settings a fieldhub needs to believe it."""
    from rest.money.channels.simulator import FOLDER, Simulator, channel_fields, make_identity, settings_of
    from storage.base.clock import SystemClock

    settings = Settings.from_env()
    identity = make_identity(settings.data_path / FOLDER)

    async def run() -> None:
        simulator = await Simulator(identity, SystemClock(), auto=True).start(arguments.port)
        notify_url = settings.channel_notify_url or f"http://127.0.0.1:{settings.port}"
        fields = channel_fields(settings_of(settings, identity, url=simulator.url, notify_url=notify_url))
        print(f"cashier {simulator.url}/\n")
        _banner([f"export {PREFIX}{name.upper()}='{value}'" for name, value in fields.items()])
        await _Stopping(None).arm(None).wait()
        await simulator.stop()

    asyncio.run(run())
    return 0


def replay(argv: list[str]) -> int:
    from tests.replay.cli import main as replay_main

    return replay_main(argv)


def bench(argv: list[str]) -> int:
    from tests.bench.cli import main as bench_main

    return bench_main(argv)


DRIVERS = {"replay": replay, "bench": bench}
"""Programs that drive fieldhub from outside; they read their own arguments."""


if __name__ == "__main__":
    sys.exit(main())
