"""A desk with real sockets: agents and customers by short names, at a hub that knows the real desk."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

from hub.ports import Ports
from rest.app import CASE_SIDES
from rest.desk.cases.verbs import case_verbs
from rest.desk.conversations import verbs as talk
from rest.desk.support import verbs as support
from rest.people.auth import Keys
from storage.base.settings import Settings
from tests.desk.conftest import Desk
from tests.hub.world import Phone, Truth, World, running


class DeskTruth(Truth):
    """The truth below the hub, with the real conversations and the real desk in it."""

    place: Desk

    def ports(self) -> Ports:
        ports, db = super().ports(), self.place.db
        return replace(
            ports,
            verbs={**ports.verbs, **talk.VERBS, **support.VERBS, **case_verbs(CASE_SIDES)},
            digests=partial(talk.digests, db),
            desk=support.DeskPort(db),
        )


@contextlib.asynccontextmanager
async def at_desk(place: Desk, redis: Any, settings: Settings, beside: World | None = None) -> AsyncIterator[World]:
    """A hub at this desk; `beside` another one of the same truth."""
    truth = beside.truth if beside else DeskTruth(Keys(settings.secret), place.clock)
    if isinstance(truth, DeskTruth):
        truth.place = place
    async with running(place.db, redis, settings, place.clock, truth=truth) as made:
        yield made


async def desk_phone(world: World, who: str, role: str = "support") -> Phone:
    return await world.phone("/desk", {"token": world.truth.token(who, role)})


async def customer_phone(world: World, who: str) -> Phone:
    return await world.phone("/customer", {"token": world.truth.token(who)})
