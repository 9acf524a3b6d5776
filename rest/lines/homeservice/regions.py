"""Which region holds a place: the areas of this process, or a refusal."""

from __future__ import annotations

from aiohttp import web

from geo import Point
from geo.areas.live import LiveAreas
from rest.lines.homeservice.catalogue import RegionNotServed

AREAS = web.AppKey("areas", LiveAreas)


async def region_of(app: web.Application, point: Point) -> str:
    """The code of the region that holds this point. Raises RegionNotServed where there is none."""
    code = await app[AREAS].current_code_at(point)
    if code is None:
        raise RegionNotServed
    return code
