"""Many clients on one book at once, and a judge who knows what must be true of it afterwards.

Each client has a connection of its own and a clock of its own, a little off. They race the same references, overdraw
the same wallets and name accounts in any order, while others roll up and read. The judge replays what was answered.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from rest.money import ledger
from rest.money.ledger import store
from storage.postgres import Database
from storage.tx import Tx
from tests.conftest import MONDAY
from tests.money.book import NAMES

CLIENTS = 16
WISHES = 220
SPREAD = timedelta(hours=2)
HOT = [NAMES[name] for name in ("ann", "ben", "o1", "o2", "wu", "late")]
LOCKED = [*HOT, *(f"customer:acc_{n}:wallet" for n in range(12))]
SYSTEM = [NAMES[name] for name in ("top", "rev", "wx")]


class WobblyClock:
    """Somewhere within SPREAD of Monday: clocks of other processes, and transactions that began long ago."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def now(self) -> datetime:
        return MONDAY + self._dice.random() * SPREAD


@dataclass(frozen=True)
class Wish:
    """A transfer somebody wants."""

    ref: str
    kind: str
    entries: tuple[tuple[str, int], ...]
    overdraw: bool = False

    @property
    def locks(self) -> bool:
        return any(code not in SYSTEM for code, _ in self.entries)

    @property
    def meaning(self) -> tuple[str, frozenset[tuple[str, int]]]:
        return self.kind, frozenset(self.entries)


@dataclass
class Seen:
    """What the clients were told."""

    posted: dict[str, tuple[Wish, datetime]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    repeated: list[Wish] = field(default_factory=list)
    refused: list[Wish] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def wishes(dice: random.Random, count: int = WISHES) -> list[Wish]:
    """Most transfers touch a wallet that may be too small, some only append; many are wished for several times."""
    found = []
    for n in range(count):
        locked = dice.sample(HOT if dice.random() < 0.6 else LOCKED, dice.randint(1, 3)) if dice.random() < 0.7 else []
        codes = locked + dice.sample(SYSTEM, dice.randint(1, 2) if locked else 2)
        amounts = [dice.randint(-40, 30) or 1 for _ in codes[:-1]]
        amounts.append(-sum(amounts))
        entries = [(code, amount) for code, amount in zip(codes, amounts, strict=True) if amount]
        if len(entries) < 2:
            continue
        dice.shuffle(entries)
        wish = Wish(f"ref{n}", dice.choice(["pay", "penalty"]), tuple(entries), overdraw=dice.random() < 0.3)
        found += [wish] * dice.choice([1, 1, 2, 4])
        if dice.random() < 0.1:
            found.append(Wish(wish.ref, "other", wish.entries))
    dice.shuffle(found)
    return found


async def race(url: str, seed: int, *, clients: int = CLIENTS) -> list[str]:
    """Everything that is wrong after `clients` have had their wishes; empty when the book is right."""
    dice = random.Random(seed)
    clock = WobblyClock(dice)
    db = await Database.connect(url, clock=clock, pool_size=clients + 4, open_at_once=clients + 4)
    seen = Seen()
    try:
        await _fund(db, seen)
        queue = wishes(dice)
        crowd = [_client(db, queue, seen, random.Random(seed * 1000 + n)) for n in range(clients)]
        done = asyncio.Event()
        rollers = [asyncio.create_task(_roller(db, done, seen)) for _ in range(2)]
        readers = [asyncio.create_task(_reader(db, done, seen)) for _ in range(2)]
        await asyncio.gather(*crowd)
        done.set()
        await asyncio.gather(*rollers, *readers)
        return seen.problems + await judge(db, seen, dice)
    finally:
        await db.close()


async def _fund(db: Database, seen: Seen) -> None:
    entries = [(code, 100) for code in LOCKED]
    wish = Wish("fund", "topup", (*entries, (NAMES["top"], -100 * len(LOCKED))))
    async with db.begin() as tx:
        await _post(tx, wish, seen)
        await ledger.post(tx, ref="exist", kind="fee", entries=[(NAMES["rev"], 1), (NAMES["wx"], -1)])
    seen.posted["exist"] = (Wish("exist", "fee", ((NAMES["rev"], 1), (NAMES["wx"], -1))), tx.now)


async def _client(db: Database, queue: list[Wish], seen: Seen, dice: random.Random) -> None:
    """A transaction for each wish; some are left open for a while, some roll back."""
    while queue:
        wish, told = queue.pop(), Seen()
        try:
            async with db.begin() as tx:
                await _post(tx, wish, told)
                if dice.random() < (0.1 if wish.locks else 0.5):
                    await asyncio.sleep(dice.random() * (0.02 if wish.locks else 0.1))
                if dice.random() < 0.1:
                    raise _ChangedMind
        except _ChangedMind:
            continue
        except asyncpg.PostgresError as problem:
            seen.problems.append(f"{type(problem).__name__}: {problem}")
            continue
        for ref, what in told.posted.items():
            if ref in seen.posted:
                seen.problems.append(f"{ref} was posted twice")
            seen.posted[ref] = what
        seen.answers += told.answers
        seen.repeated += told.repeated
        seen.refused += told.refused


class _ChangedMind(Exception):
    """Some transactions roll back."""


async def _post(tx: Tx, wish: Wish, told: Seen) -> None:
    try:
        done = await ledger.post(tx, ref=wish.ref, kind=wish.kind, entries=list(wish.entries), overdraw=wish.overdraw)
    except ledger.InsufficientFunds:
        told.answers["short"] += 1
    except ledger.RefReused:
        told.answers["ref_reused"] += 1
        told.refused.append(wish)
    else:
        told.answers["repeated" if done.repeated else "posted"] += 1
        if done.repeated:
            told.repeated.append(wish)
        else:
            told.posted[wish.ref] = (wish, done.at)


async def _roller(db: Database, done: asyncio.Event, seen: Seen) -> None:
    upto: int | None = None
    number: int | None = None
    while not done.is_set():
        try:
            async with db.begin() as tx:
                _, upto, number = await store.roll_up(tx, upto, number)
        except asyncpg.PostgresError as problem:
            seen.problems.append(f"rolling up: {type(problem).__name__}: {problem}")
        await asyncio.sleep(0.002)


async def _reader(db: Database, done: asyncio.Event, seen: Seen) -> None:
    """In one snapshot a balance from checkpoints is the sum of all entries, whatever else goes on."""
    while not done.is_set():
        async with db.begin() as tx:
            await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for code in SYSTEM:
                shown, plain = await ledger.balance(tx, code), await sum_of_entries(tx, code)
                if shown != plain:
                    seen.problems.append(f"balance of {code} was {shown}, entries summed to {plain}")
        await asyncio.sleep(0.001)


async def sum_of_entries(tx: Tx, code: str) -> int:
    total: int = await tx.fetchval(
        """
        SELECT coalesce(sum(amount_fen), 0)::bigint
          FROM ledger_entries WHERE account_id = (SELECT id FROM ledger_accounts WHERE code = $1)
        """,
        code,
    )
    return total


async def judge(db: Database, seen: Seen, dice: random.Random) -> list[str]:
    """What the book says against what the clients were told."""
    problems = []
    async with db.begin() as tx:
        problems += await ledger.verify(tx)
        problems += [f"{wish.ref} was repeated and never posted" for wish in seen.repeated
                     if wish.ref not in seen.posted or seen.posted[wish.ref][0].meaning != wish.meaning]  # fmt: skip
        problems += [f"{wish.ref} was refused as reused and is not" for wish in seen.refused
                     if wish.ref not in seen.posted or seen.posted[wish.ref][0].meaning == wish.meaning]  # fmt: skip
        count = await tx.fetchval("SELECT count(*) FROM ledger_transfers")
        if count != len(seen.posted):
            problems.append(f"{len(seen.posted)} transfers were promised, {count} are there")
        expected = replay(seen, lambda _at: True)
        for code in LOCKED + SYSTEM:
            if (found := await ledger.balance(tx, code)) != expected[code]:
                problems.append(f"balance of {code} is {found}, what was posted sums to {expected[code]}")
        for _ in range(12):
            at = MONDAY + dice.random() * SPREAD
            expected = replay(seen, lambda posted_at, at=at: posted_at <= at)
            for code in LOCKED + SYSTEM:
                if (found := await ledger.balance_at(tx, code, at)) != expected[code]:
                    problems.append(f"balance of {code} at {at} is {found}, the replay says {expected[code]}")
    return problems


def replay(seen: Seen, counts: Callable[[datetime], bool]) -> dict[str, int]:
    """Balances after the posted transfers whose instant counts."""
    balances: dict[str, int] = defaultdict(int)
    for wish, at in seen.posted.values():
        if counts(at):
            for code, amount in wish.entries:
                balances[code] += amount
    return balances


async def redefine(url: str, function: str, changes: dict[str, str], also: str = "") -> None:
    """Replace texts in a database function; each must be there. `also` is run with it."""
    connection: Any = await asyncpg.connect(url)
    try:
        text: str = await connection.fetchval(
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = $1", function
        )
        for old, new in changes.items():
            assert old in text, f"{function} does not say {old!r} any more"
            text = text.replace(old, new)
        await connection.execute(f"{text}; {also}")
    finally:
        await connection.close()
