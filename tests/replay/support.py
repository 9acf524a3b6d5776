"""Support: watches the map, and decides the cases of this run's orders. The staff behind every exception."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tests.replay.api import No, Person, Unreachable
from tests.replay.wire import Gone
from tests.replay.world import World

LOOK_EVERY_S = 5.0
"""Cases are told at once; a look at the list now and then finds those of a broken connection."""


class Operator:
    """One member of staff with the map open."""

    def __init__(self, world: World, name: str, person: Person) -> None:
        self.world = world
        self.name = name
        self.person = person
        self.phone = world.phone(name, "/desk", person)
        self.phone.on_ready = self._ready
        self.phone.on_fact = self._heard
        self.phone.on_live = self._live
        self._chance = world.chance("operator", name)
        self._look_now = asyncio.Event()
        self._tasks = asyncio.TaskGroup()

    async def run(self) -> None:
        async with self._tasks:
            connection = self._tasks.create_task(self.phone.run())
            while not self.world.stop.is_set():
                await self.world.guarded(f"{self.name} at the cases", self._decide_all())
                self._look_now.clear()
                try:
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._look_now.wait()
                except TimeoutError:
                    continue
            await self.world.closed.wait()
            await self.phone.leave()
            await connection

    def _ready(self) -> None:
        self._tasks.create_task(self._watch())

    async def _watch(self) -> None:
        try:
            await self.phone.ask("watch", {"what": "map"})
        except (No, Gone, TimeoutError) as problem:
            self.world.figures.refused("map", getattr(problem, "code", type(problem).__name__))

    def _heard(self, topic: str, body: Mapping[str, Any], _at_s: float) -> None:
        if topic == "case.opened":
            self._look_now.set()

    def _live(self, event: str, body: Any, _at_s: float) -> None:
        if event == "positions":
            self.world.figures.add("map_rows", len(body["workers"]))

    async def _decide_all(self) -> None:
        for case in await self.world.api.pages(self.person, "/v1/admin/cases", state="open"):
            if case["subject_id"] in self.world.orders:
                await self._decide(case)

    async def _decide(self, case: Mapping[str, Any]) -> None:
        saved = self._chance.random() < self.world.habits.saved
        match case["type"]:
            case "cancel_confirm":
                outcome = "saved" if saved else "not_saved"
            case "rejected":
                outcome = "technician_accepts" if saved else "customer_refuses"
            case _:
                return  # settled by the customer or the technician
        path, body = f"/v1/admin/cases/{case['id']}/decide", {"outcome": outcome, "note": "talked to the sides"}
        try:
            await self.world.api.post(self.person, path, body, key=f"decide-{case['id']}")
            self.world.figures.add("decisions")
        except No as no:
            self.world.refused("decide", no, "invalid_state", "case_not_open", "outcome_not_allowed", "candidate_gone")
        except Unreachable:
            self._look_now.set()
