"""Commits numbered facts and remembers, for each audience, how many there are."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

import asyncpg

from storage.base.facts import Fact
from storage.postgres import Database
from tests.chaos.person import TOPIC, Person

FACTS_MAX, LISTENERS_MAX = 4, 3
"""Facts in one transaction; people one fact is for."""

RETRY_S = 0.1

TROUBLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""The last is what a connection says that hears of its end in the very moment it is used."""


class Counted(Fact, frozen=True):
    """`numbers` counts up by one in each audience the fact is told to; `mark` is its transaction's."""

    topic: ClassVar[str] = TOPIC
    numbers: dict[str, int]
    mark: str
    text: str


class Teller:
    """Tells facts to its own people, one transaction after the other: so their order is known."""

    def __init__(self, name: str, db: Database, people: Sequence[Person], seed: int) -> None:
        self.numbers: Counter[str] = Counter()
        self.facts = 0
        self.unsure = 0
        self._name, self._db, self._people = name, db, people
        self._random = random.Random(seed)
        self._transactions = 0

    async def run(self, facts: int, per_s: float) -> None:
        """Tell that many, on average `per_s`; an outage is made up for."""
        began = time.monotonic()
        while self.facts < facts:
            await asyncio.sleep(max(0.0, began + self.facts / per_s - time.monotonic()))
            self._transactions += 1
            told = self._some(min(self._random.randint(1, FACTS_MAX), facts - self.facts))
            while not await self._commit(told):
                self.unsure += 1
                if await self._is_committed(told[0].mark):
                    break
            self.facts += len(told)

    def _some(self, count: int) -> list[Counted]:
        mark = f"{self._name}-{self._transactions}"
        return [Counted(numbers=self._next(), mark=mark, text="x" * self._random.randint(1, 300)) for _ in range(count)]

    def _next(self) -> dict[str, int]:
        """The next number in some audiences: of one or more people, by one or more of their names."""
        people = self._random.sample(self._people, min(len(self._people), self._random.randint(1, LISTENERS_MAX)))
        audiences: list[str] = []
        for person in people:
            own = sorted(person.audiences)
            audiences += self._random.sample(own, self._random.randint(1, len(own)))
        self.numbers.update(audiences)
        return {audience: self.numbers[audience] for audience in audiences}

    async def _commit(self, told: Sequence[Counted]) -> bool:
        """False when it is not known whether it was committed."""
        try:
            async with self._db.begin() as tx:
                for fact in told:
                    tx.tell(fact, to=list(fact.numbers))
        except TROUBLE:
            return False
        return True

    async def _is_committed(self, mark: str) -> bool:
        """Look until the database answers. A fact moves from one table to the other in one transaction."""
        while True:
            try:
                async with self._db.look() as tx:
                    return bool(
                        await tx.fetchval(
                            """
                            SELECT EXISTS (SELECT FROM outbox WHERE strpos(body, $1) > 0)
                                OR EXISTS (SELECT FROM feed WHERE strpos(body, $1) > 0)
                            """,
                            f'"{mark}"',
                        )
                    )
            except TROUBLE:
                await asyncio.sleep(RETRY_S)
