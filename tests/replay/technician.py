"""A technician: moves along a real trip, reports it, grabs what is offered, and carries orders to their end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from geo.datum import wgs84_to_gcj02
from geo.point import Point
from tests.replay.api import No, Person, Unreachable
from tests.replay.board import Board, Standing
from tests.replay.movement import Movement, heading
from tests.replay.wire import Gone
from tests.replay.world import World, now_s

UNSENT_MAX = 60
"""Fixes a phone keeps while it has no connection; older ones are of no use to anybody."""

GRAB_REFUSALS = ("order_gone", "already_grabbed", "slot_conflict", "offer_closed", "not_eligible", "locked")
STEP_REFUSALS = ("invalid_state", "already_answered", "not_found", "forbidden")
NOT_THERE = ("too_far", "position_unknown")
MOVES_WITHIN_S = 30.0
"""An answer and its fact belong to one transaction; a fact this late is missed."""


class Technician:
    """One worker of the run."""

    def __init__(self, world: World, name: str, person: Person, movement: Movement) -> None:
        self.world = world
        self.name = name
        self.person = person
        self.worker_id = str(person.worker_id)
        self.movement = movement
        self.board = Board()
        self.phone = world.phone(name, "/worker", person)
        self.phone.on_fact = self._heard
        self.serving: set[str] = set()
        self.is_online = False
        self._chance = world.chance("technician", name)
        self._tasks = asyncio.TaskGroup()
        self._errands: set[asyncio.Task[None]] = set()
        self._unsent: deque[list[Any]] = deque(maxlen=UNSENT_MAX)
        self._seq = int(time.time() * 10)
        self._last: tuple[float, Point] | None = None

    async def run(self) -> None:
        """A whole day, until the run stops."""
        habits = self.world.habits
        async with self._tasks:
            connection = self._tasks.create_task(self.phone.run())
            await self.world.sleep(self._chance.uniform(0, 2))
            await self._set_up()
            while await self.world.sleep(habits.fix_en_route_every_s if self.serving else habits.fix_every_s):
                await self._report()
            for task in self._errands:
                task.cancel()
            await self.world.closed.wait()
            await self.phone.leave()
            await connection

    async def _set_up(self) -> None:
        radius_m = self._chance.choice((2_000, 3_000, 5_000, 8_000))
        settings = {"radius_m": radius_m, "work_from_min": 0, "work_to_min": 1440}
        await self.world.api.patch(self.person, "/v1/partner/settings", settings)
        self.movement.go_back(now_s())  # from where yesterday ended
        await self._report()
        await self.phone.ask_until_answered("online", {})
        self.is_online = True

    # Where he is

    async def _report(self) -> None:
        at_s, here = now_s(), self.movement.at(now_s())
        self.world.here[self.worker_id] = here
        self._unsent.append(self._fix(here, at_s))
        if not self.phone.is_connected:
            return
        batch = list(self._unsent)
        self._unsent.clear()
        for _, at_ms, *_ in batch if self.serving else ():
            self.world.fix_sent(self.worker_id, at_ms, now_s())
        try:
            answer = await self.phone.ask("position", batch[0] if len(batch) == 1 else batch)
        except No as no:
            self.world.refused("position", no, "rate_limited")
        except (Gone, TimeoutError):
            self._unsent.extendleft(reversed(batch))  # perhaps it was heard: then these are duplicates, and refused
        else:
            self.world.figures.add("fixes", int(answer["accepted"]))
            for refused in answer["rejected"]:
                self.world.figures.refused("fix", str(refused["reason"]))

    def _fix(self, here: Point, at_s: float) -> list[Any]:
        """A compact row: [seq, at_ms, lat, lon, accuracy_m, speed_mps, heading_deg], in the datum of the phone."""
        self._seq += 1
        speed, course = (0.0, 0.0) if self._last is None else heading(self._last[1], here, at_s - self._last[0])
        self._last = (at_s, here)
        shown = wgs84_to_gcj02(here) if self.phone.crs == "gcj02" else here
        accuracy = 400.0 if self._chance.random() < self.world.habits.bad_fix else self._chance.uniform(4, 30)
        lat, lon = round(shown.lat, 6), round(shown.lon, 6)
        return [self._seq, int(time.time() * 1000), lat, lon, round(accuracy, 1), round(speed, 1), round(course) % 360]

    # What he hears

    def _heard(self, topic: str, body: Mapping[str, Any], at_s: float) -> None:
        if topic == "offer.made":
            self.world.figures.add("offers")
            self.world.offer_heard(body, at_s, connected_s=self.phone.journal.connected_for(at_s))
            self._spawn(self._consider(body), f"on offer {body['offer_id']}")
        elif topic == "order.changed":
            standing = Standing.of(body)
            self.board.note(standing)
            if standing.worker_id == self.worker_id and standing.status == "paid":
                self._spawn(self._serve(standing.order_id), f"with order {standing.order_id}")

    def _spawn(self, work: Coroutine[Any, Any, None], what: str) -> None:
        if self.world.stop.is_set():
            work.close()
        else:
            task = self._tasks.create_task(self.world.guarded(f"{self.name} {what}", work))
            self._errands.add(task)
            task.add_done_callback(self._errands.discard)

    async def _consider(self, offer: Mapping[str, Any]) -> None:
        habits, call_id = self.world.habits, offer["call_id"]
        wish = self._chance.random()
        if not await self._think():
            return
        if wish < habits.grab:
            await self._grab(call_id)
        elif wish < habits.grab + habits.decline:
            await self._tap("decline", call_id)
        elif wish > 1 - habits.rest and not self.serving and self.is_online:
            await self._rest()

    async def _think(self) -> bool:
        """Whether the day still goes on after a moment's thought."""
        return await self.world.sleep(self._chance.uniform(*self.world.habits.think_s))

    async def _grab(self, call_id: str) -> None:
        habits = self.world.habits
        body = {"call_id": call_id, "req_id": f"{self.name}-{self._chance.getrandbits(48):012x}"}
        if self._chance.random() < habits.lost_answer:
            with contextlib.suppress(No, Gone, TimeoutError):
                lost = asyncio.ensure_future(self.phone.ask("grab", body))
                await asyncio.sleep(0)
                self.phone.drop(0.1)
                await lost
        taps = 2 if self._chance.random() < habits.double_tap else 1
        answers = await asyncio.gather(*(self._grab_once(body) for _ in range(taps)))
        made = {answer for answer in answers if answer is not None}
        if len(made) > 1:
            self.world.faults.append(f"{self.name} got two grabs {sorted(made)} for one request on call {call_id}")
        if made:
            self.world.figures.add("grabs")
            if self._chance.random() < habits.withdraw:
                await self.world.sleep(self._chance.uniform(0.5, 4))
                await self._tap("withdraw", call_id)

    async def _grab_once(self, body: Mapping[str, Any]) -> str | None:
        await self.phone.connected()
        sent_s = now_s()
        try:
            answer = await self.phone.ask_until_answered("grab", body)
        except No as no:
            self.world.refused("grab", no, *GRAB_REFUSALS)
            return None
        if now_s() - sent_s < self.phone.journal.connected_for(now_s()):
            self.world.figures.took("grab_to_answer_ms", now_s() - sent_s)
        return str(answer["grab_id"])

    async def _tap(self, verb: str, call_id: str) -> None:
        try:
            await self.phone.ask_until_answered(verb, {"call_id": call_id})
            self.world.figures.add(f"{verb}s")
        except No as no:
            self.world.refused(verb, no, "offer_closed", "locked", "order_gone", "invalid_state")

    async def _rest(self) -> None:
        self.is_online = False
        await self.phone.ask_until_answered("offline", {})
        self.world.figures.add("rests")
        await self.world.sleep(self._chance.uniform(5, 20))
        await self.phone.ask_until_answered("online", {})
        self.is_online = True

    # An order from payment to the end

    async def _serve(self, order_id: str) -> None:
        if order_id in self.serving:
            return
        self.serving.add(order_id)
        try:
            while not self.world.stop.is_set():
                now = self.board.get(order_id)
                if now is None or now.is_ended or now.worker_id != self.worker_id:
                    return
                step = self._steps().get(now.status)
                if step is not None:
                    await step(order_id)
                await self._await_move(now, acted=step is not None)
        finally:
            self.serving.discard(order_id)
            if not self.serving:
                self.movement.go_back(now_s())

    def _steps(self) -> Mapping[str, Callable[[str], Awaitable[None]]]:
        """What he does in each status; in others he waits."""
        return {
            "paid": self._answer,
            "accepted": self._depart,
            "departed": self._drive,
            "arrived": self._start,
            "leave_confirmed": self._leave,
        }

    async def _await_move(self, seen: Standing, *, acted: bool) -> None:
        within_s = MOVES_WITHIN_S if acted else 60.0
        moved = await self.board.moved(seen, within_s=within_s)
        if acted and not moved and not self.world.stop.is_set() and self.phone.is_connected:
            self.world.figures.add("silent_steps")

    async def _answer(self, order_id: str) -> None:
        is_willing = self._chance.random() >= self.world.habits.reject
        if await self._think():
            await (self._step("accept", order_id) if is_willing else self._step("reject", order_id, reason="no car"))

    async def _depart(self, order_id: str) -> None:
        if await self._think():
            await self._step("depart", order_id)

    async def _drive(self, order_id: str) -> None:
        order = self.world.orders[order_id]
        if not await self.world.sleep(self.movement.head_for(order.point, now_s())):
            return
        for _ in range(10):
            await self._report()
            # Last positions are written four times a second.
            if not await self.world.sleep(0.5) or await self._step("arrive", order_id, allowed=NOT_THERE):
                return

    async def _start(self, order_id: str) -> None:
        code = await self._shown(order_id)
        if code is None:
            return
        if self._chance.random() < self.world.habits.wrong_code:
            wrong = "000000" if code != "000000" else "111111"
            if await self._step("start", order_id, allowed=("code_invalid",), code=wrong):
                self.world.faults.append(f"order {order_id} was started with a wrong code")
        await self._step("start", order_id, allowed=("code_used", "code_expired"), code=code)

    async def _shown(self, order_id: str) -> str | None:
        waiting = self.world.code_of(order_id)
        done, _ = await asyncio.wait([waiting], timeout=60)
        return waiting.result() if done else None

    async def _leave(self, order_id: str) -> None:
        if await self._think():
            await self._step("leave", order_id)

    async def _step(self, verb: str, order_id: str, *, allowed: tuple[str, ...] = (), **fields: str) -> bool:
        """One verb on the order, by socket or over REST; whether it was done."""
        try:
            if self._chance.random() < self.world.habits.over_http:
                path = f"/v1/partner/orders/{order_id}/{verb}"
                key = None if verb == "start" else f"{verb}-{order_id}-{self._seq}"  # a code is safe by itself
                await self.world.api.post(self.person, path, fields or None, key=key)
            else:
                await self.phone.ask_until_answered(verb, {"order_id": order_id, **fields})
        except No as no:
            self.world.refused(verb, no, *STEP_REFUSALS, *allowed)
            return False
        except (Gone, Unreachable, TimeoutError):
            return False
        self.world.granted.append((order_id, self.worker_id, f"granted {verb}"))
        return True
