"""What a run needs before it begins, made by the operators' own commands: areas, an open region, accounts, money."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from geo.datum import Crs
from tests.live import ROOT
from tests.replay.api import Api, Person
from tests.replay.places import Region, geojson_of

Command = Callable[..., str]
"""Runs `run.py` with these arguments on the hub's machine; its standard output."""

CREDIT_FEN = 1_000_000
"""What a customer gets to spend in one run: far more than its orders cost."""

COMMAND_TIMEOUT_S = 300


class SetUpFailed(Exception):
    """The hub could not be made ready; the text says what to do."""


@dataclass(frozen=True, slots=True)
class People:
    """Signed-in accounts of a run."""

    technicians: list[Person]
    customers: list[Person]
    staff: list[Person]


def here(*arguments: str) -> str:
    """The command for a hub of this machine that uses the same environment."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=COMMAND_TIMEOUT_S,
    )  # fmt: skip
    if done.returncode != 0:
        raise SetUpFailed(f"run.py {' '.join(arguments)}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def is_local(url: str) -> bool:
    """Whether the operators' commands of this machine reach the hub's data."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def open_areas(command: Command, areas: Path | Sequence[Region], crs: Crs, codes: Sequence[str]) -> None:
    """Import areas, from a file as it is or as this run has made them, and open these codes for home service."""
    if isinstance(areas, Path):
        command("areas", "import", str(areas.resolve()), "--crs", crs)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "areas.geojson"
            path.write_bytes(orjson.dumps(geojson_of(areas)))
            command("areas", "import", str(path), "--crs", "wgs84")
    command("homeservice", "open-region", *codes)


def make_people(command: Command, *, technicians: int, customers: int, staff: int) -> People:
    """Fresh accounts with tokens that outlive the run."""
    with tempfile.TemporaryDirectory() as folder:
        return People(*(
            _make(command, Path(folder), role, count)
            for role, count in (("technician", technicians), ("user", customers), ("admin", staff))
        ))  # fmt: skip


def _make(command: Command, folder: Path, role: str, count: int) -> list[Person]:
    path = folder / f"{role}.jsonl"
    command("accounts", "create", "--role", role, "--count", str(count), "--tokens", str(path))
    return read_tokens(path)


def read_tokens(path: Path) -> list[Person]:
    """Accounts of a tokens file, one JSON object in each line. Raises SetUpFailed naming the line."""
    people = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            people.append(Person.of(orjson.loads(line)))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as problem:
            raise SetUpFailed(f"{path}: line {number}: {type(problem).__name__} {problem}") from problem
    return people


def people_of(path: Path, *, technicians: int, customers: int) -> People:
    """Accounts somebody else has made, all in one file. Raises SetUpFailed when there are too few."""
    everybody = read_tokens(path)
    workers = [person for person in everybody if person.worker_id]
    staff = [person for person in everybody if "admin" in person.roles]
    others = [person for person in everybody if not person.worker_id and "admin" not in person.roles]
    if len(workers) < technicians or len(others) < customers or not staff:
        raise SetUpFailed(
            f"{path} holds {len(workers)} technicians, {len(others)} users and {len(staff)} admins; "
            f"this run needs {technicians}, {customers} and 1"
        )
    return People(workers[:technicians], others[:customers], staff)


async def give_money(api: Api, people: People) -> dict[str, int]:
    """Credit every customer; what each wallet holds after it, in fen."""
    balances = {}
    gate = asyncio.Semaphore(8)

    async def give(number: int, customer: Person) -> None:
        body = {"amount": {"amount": CREDIT_FEN, "currency": "CNY"}, "reason": "replay"}
        staff = people.staff[number % len(people.staff)]
        async with gate:
            path = f"/v1/admin/wallets/{customer.account_id}/credits"
            done = await api.post(staff, path, body, key=f"replay-{uuid.uuid4().hex}")
        balances[customer.account_id] = int(done["balance"]["amount"])

    await asyncio.gather(*(give(number, customer) for number, customer in enumerate(people.customers)))
    return balances
