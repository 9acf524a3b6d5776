"""What request handlers work with; built once by `hub.server`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hub.lines import Lines
from hub.members import Audiences, Member
from hub.opsmap import OpsMap
from hub.ports import Ports
from hub.talking import Talking
from hub.tracking import Tracker
from hub.watching import Watching
from storage.postgres import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of a hub that requests reach."""

    db: Database
    ports: Ports
    audiences: Audiences
    tracker: Tracker
    watching: Watching
    map: OpsMap
    talking: Talking
    lines: Lines
    refresh: Callable[[Member, str], Awaitable[None]]
    remember: Callable[[Member], Awaitable[None]]  # what a member watches, for its recovery; raises Busy
