"""A customer: posts orders one after another, chooses among who grabs, pays (mostly), lets in, ends, confirms."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from geo.datum import wgs84_to_gcj02
from geo.point import Point
from tests.replay.api import No, Person, Unreachable, instant_s
from tests.replay.board import Board, Standing
from tests.replay.wire import Gone
from tests.replay.world import Posted, World, now_s

NEAR_M = 1_500.0
"""Orders are posted this near to a technician of the run, at a real point."""

CHOOSE_REFUSALS = ("candidate_gone", "locked", "invalid_state", "not_found")
PAY_REFUSALS = ("candidate_gone", "invalid_state", "locked", "order_gone")
MOVES_WITHIN_S = 30.0
SURE = {"lapse": 2, "rechoose": 4, "cancel_pool": 6, "cancel_paid": 8, "reschedule": 10}
"""Rare turns that the order of this number takes in any case: a run of some size must have seen each."""


class Customer:
    """One customer of the run."""

    def __init__(self, world: World, name: str, person: Person) -> None:
        self.world = world
        self.name = name
        self.person = person
        self.board = Board()
        self.phone = world.phone(name, "/customer", person)
        self.phone.on_fact = self._heard
        self.phone.on_live = self._live
        self.phone.on_ready = self._ready
        self.grabs: dict[str, dict[str, Mapping[str, Any]]] = {}
        self.is_done = False
        self._chance = world.chance("customer", name)
        self._watched: set[str] = set()
        self._tasks = asyncio.TaskGroup()

    async def run(self, orders: int | None, every_s: float) -> None:
        """`orders` orders (None: without end), the next one when the last has ended; then leave."""
        async with self._tasks:
            connection = self._tasks.create_task(self.phone.run())
            errands = self._tasks.create_task(self._errands(orders, every_s))
            await self.world.stop.wait()
            errands.cancel()
            await self.world.closed.wait()
            await self.phone.leave()
            await connection

    async def _errands(self, orders: int | None, every_s: float) -> None:
        await self.phone.connected()
        await self.world.staffed.wait()
        done = 0
        while done != orders and await self.world.sleep(self._chance.uniform(0, 2 * every_s)):
            await self.world.guarded(f"{self.name}'s order {done + 1}", self._one_order())
            done += 1
        self.is_done = True

    # What is heard

    def _heard(self, topic: str, body: Mapping[str, Any], _at_s: float) -> None:
        if topic == "order.changed":
            self.board.note(Standing.of(body))
        elif topic == "grab.added":
            self.grabs.setdefault(body["subject_id"], {})[body["grab_id"]] = body
            self.board.poke(body["subject_id"])
        elif topic == "grab.removed":
            self.grabs.get(body["subject_id"], {}).pop(body["grab_id"], None)
            self.board.poke(body["subject_id"])

    def _live(self, event: str, body: Any, at_s: float) -> None:
        if event == "position":
            self.world.figures.add("positions")
            self.world.fix_seen(body["worker_id"], round(instant_s(body["at"]) * 1000), at_s)

    def _ready(self) -> None:
        for order_id in self._watched:
            self._tasks.create_task(self._watch(order_id))

    async def _watch(self, order_id: str) -> None:
        try:
            await self.phone.ask("watch", {"order_id": order_id})
        except No as no:
            self.world.refused("watch", no, "rate_limited")
        except (Gone, TimeoutError):
            pass  # the next connection watches again

    # One order from post to end

    async def _one_order(self) -> None:
        order = await self._post()
        if order is None:
            return
        script = _Script(self, order)
        self._watched.add(order.order_id)
        await self._watch(order.order_id)
        while not self.world.stop.is_set():
            now = self.board.get(order.order_id)
            if now is None or now.is_ended:
                break
            step = script.steps.get(now.status)
            if step is not None:
                await step()
            if not await self.board.moved(now, within_s=MOVES_WITHIN_S if step else 60.0):
                await self._look(order.order_id)
        self._watched.discard(order.order_id)
        ended = self.board.get(order.order_id)
        if ended is not None and ended.is_ended:
            self.world.figures.add(ended.status)

    async def _look(self, order_id: str) -> None:
        """Open the order in the app: where does it stand?"""
        order = await self.world.api.get(self.person, f"/v1/orders/{order_id}")
        if self.board.note(Standing.of(order)):
            self.world.figures.add("late_news")

    async def _post(self) -> Posted | None:
        place = self._somewhere()
        body = await self._wanted(place)
        key = f"order-{self._chance.getrandbits(64):016x}"
        taps = 2 if self._chance.random() < self.world.habits.double_tap else 1
        sent_s = now_s()
        try:
            made = await asyncio.gather(
                *(self.world.api.post(self.person, "/v1/orders", body, key=key) for _ in range(taps))
            )
        except No as no:
            self.world.refused("post", no, "region_not_served")
            return None
        if len({order["id"] for order in made}) > 1:
            self.world.faults.append(f"{self.name} got two orders for one Idempotency-Key: {[o['id'] for o in made]}")
        order = Posted(made[0]["id"], made[0]["call_id"], self.person, place, sent_s)
        self.world.posted(order)
        self.world.figures.add("orders")
        self.board.note(Standing.of(made[0]))
        return order

    def _somewhere(self) -> Point:
        """A real point near a technician who is on the road now."""
        middles = list(self.world.here.values())
        for _ in range(20):
            found = self.world.places.near(self._chance.choice(middles), NEAR_M, self._chance)
            if found is not None and self.world.places.code_at(found) in self.world.open_codes:
                return found
        return self.world.places.random_point(self.world.open_codes, self._chance)

    async def _wanted(self, place: Point) -> dict[str, Any]:
        items = await self.world.items(self.person, place)
        start_at = datetime.now(UTC) + timedelta(minutes=self._chance.randint(45, 150))
        shown, crs = (wgs84_to_gcj02(place), "gcj02") if self._chance.random() < 0.5 else (place, "wgs84")
        return {
            "line": "homeservice", "mode": "grab", "item_id": self._chance.choice(items), "qty": 1,
            "start_at": start_at.isoformat(timespec="seconds"),
            "address": {
                "contact": self.name, "phone": "13900000000", "detail": f"Room {self._chance.randint(101, 2804)}",
                "lon": round(shown.lon, 6), "lat": round(shown.lat, 6), "crs": crs,
            },
        }  # fmt: skip

    async def do(
        self, verb: str, order_id: str, body: Any = None, *, key: str | None = None, allowed: tuple[str, ...]
    ) -> Any:
        """One verb on an order over REST; its answer, or None when it was refused or lost."""
        try:
            return await self.world.api.post(self.person, f"/v1/orders/{order_id}/{verb}", body, key=key)
        except No as no:
            self.world.refused(verb, no, *allowed)
        except Unreachable:
            pass
        return None


class _Script:
    """What this customer does with one order, in each status. Some things are done once at most."""

    def __init__(self, customer: Customer, order: Posted) -> None:
        self.customer = customer
        self.world = customer.world
        self.order_id = order.order_id
        self.chance: random.Random = customer.world.chance("script", customer.name, order.order_id)
        self.number = list(self.world.orders).index(order.order_id) + 1
        self.did: set[str] = set()
        self.refused: set[str] = set()
        self.since_s = now_s()
        self.steps: Mapping[str, Callable[[], Awaitable[None]]] = {
            "in_pool": self.wait_for_grabs,
            "has_candidates": self.choose,
            "pending_payment": self.pay,
            "paid": self.perhaps_cancel,
            "accepted": self.perhaps_cancel,
            "arrived": self.let_in,
            "in_service": self.end,
            "service_ended": self.confirm_left,
        }

    def once(self, what: str, share: float) -> bool:
        """Whether to do something that happens to this share of orders, and then only once."""
        if what in self.did:
            return False
        self.did.add(what)
        return self.number == SURE.get(what) or self.chance.random() < share

    @property
    def candidates(self) -> list[Mapping[str, Any]]:
        known = self.customer.grabs.get(self.order_id, {})
        return sorted(
            (grab for grab_id, grab in known.items() if grab_id not in self.refused),
            key=lambda grab: (grab["quote"].get("total_fen", 0), grab["worker"]["distance_m"]),
        )

    def is_in(self, *statuses: str) -> bool:
        now = self.customer.board.get(self.order_id)
        return now is not None and now.status in statuses

    async def wait_for_grabs(self) -> None:
        habits = self.world.habits
        if self.once("reschedule", habits.reschedule):
            start_at = datetime.now(UTC) + timedelta(minutes=self.chance.randint(60, 150))
            body = {"start_at": start_at.isoformat(timespec="seconds")}
            await self.do("reschedule", body, key=f"reschedule-{self.order_id}")
            return
        if self.once("cancel_pool", habits.cancel_pool):
            if await self.world.sleep(self.chance.uniform(0, 3)):
                await self.cancel("changed my mind")
            return
        left_s = max(1.0, self.since_s + habits.patience_s - now_s())
        await self.customer.board.wait(self.order_id, lambda: not self.is_in("in_pool"), within_s=left_s)
        if self.is_in("in_pool") and now_s() - self.since_s >= habits.patience_s:
            await self.cancel("nobody comes")

    async def choose(self) -> None:
        if not await self.world.sleep(self.chance.uniform(*self.world.habits.choose_after_s)):
            return
        if not self.candidates:
            await self.customer.board.wait(
                self.order_id, lambda: bool(self.candidates) or not self.is_in("has_candidates"), within_s=20
            )
        for grab in self.candidates:
            if not self.is_in("has_candidates") or await self._choose_one(grab):
                return
        if self.is_in("has_candidates") and now_s() - self.since_s > self.world.habits.patience_s:
            await self.cancel("no good candidate")

    async def _choose_one(self, grab: Mapping[str, Any]) -> bool:
        taps = 2 if self.chance.random() < self.world.habits.double_tap else 1
        body, key = {"grab_id": grab["grab_id"]}, f"choose-{grab['grab_id']}-{self.version}"
        answers = await asyncio.gather(
            *(self.do("choose", body, key=key, allowed=CHOOSE_REFUSALS) for _ in range(taps))
        )
        if any(answers):
            return True
        self.refused.add(grab["grab_id"])
        return False

    async def pay(self) -> None:
        habits = self.world.habits
        if self.once("rechoose", habits.rechoose) and len(self.candidates) > 1:
            await self.world.sleep(self.chance.uniform(0.5, 2))
            if await self._choose_one(self.candidates[1]):
                return
        if self.once("lapse", habits.lapse):
            self.world.figures.add("lapses")
            await self.customer.board.wait(self.order_id, lambda: not self.is_in("pending_payment"), within_s=400)
            self.since_s = now_s()
            return
        if not await self.world.sleep(self.chance.uniform(*habits.think_s)):
            return
        taps = 2 if self.chance.random() < habits.double_tap else 1
        key = f"pay-{self.order_id}-{len(self.refused)}-{self.version}"
        body = {"method": "wallet"}
        await asyncio.gather(*(self.do("pay", body, key=key, allowed=PAY_REFUSALS) for _ in range(taps)))

    @property
    def version(self) -> int:
        now = self.customer.board.get(self.order_id)
        return now.version if now else 0

    async def perhaps_cancel(self) -> None:
        if self.once("cancel_paid", self.world.habits.cancel_paid):
            if await self.world.sleep(self.chance.uniform(0, 3)):
                await self.cancel("another appointment")

    async def cancel(self, reason: str) -> None:
        await self.do("cancel", {"reason": reason}, key=f"cancel-{self.order_id}-{self.version}")

    async def let_in(self) -> None:
        """Open the door and show the code."""
        answer = await self.do("service_code")
        waiting = self.world.code_of(self.order_id)
        if answer is not None and not waiting.done():
            waiting.set_result(str(answer["code"]))

    async def end(self) -> None:
        if await self.world.sleep(self.chance.uniform(*self.world.habits.service_s)):
            await self.do("end", key=f"end-{self.order_id}")

    async def confirm_left(self) -> None:
        if await self.world.sleep(self.chance.uniform(*self.world.habits.think_s)):
            await self.do("confirm_left", key=f"confirm-{self.order_id}")

    async def do(
        self, verb: str, body: Any = None, *, key: str | None = None, allowed: tuple[str, ...] = ("invalid_state",)
    ) -> Any:
        return await self.customer.do(verb, self.order_id, body, key=key, allowed=allowed)
