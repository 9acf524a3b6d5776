"""Refusals of the home-service line; those of the pool itself are dispatch's."""

from __future__ import annotations

from storage.base.errors import Conflict, Invalid, NotFound


class TimePast(Invalid):
    """This time has passed."""

    code = "time_past"


class TimeTooFar(Invalid):
    """This time is too far ahead to be booked."""

    code = "time_too_far"


class PositionUnknown(Invalid):
    """Your position is not known; open the map and try again."""

    code = "position_unknown"


class AlreadyAnswered(Conflict):
    """This order has been answered already."""

    code = "already_answered"


class NotConfirmed(Conflict):
    """The customer has not confirmed yet that you left."""

    code = "not_confirmed"


class TooEarly(Invalid):
    """It is too early to depart."""

    code = "too_early"


class TooFar(Invalid):
    """You are too far from the address."""

    code = "too_far"


class CodeInvalid(Invalid):
    """This start code is not the customer's."""

    code = "code_invalid"


class StartCodeExpired(Invalid):
    """This start code has expired; the customer can show a new one."""

    code = "code_expired"


class CodeUsed(Invalid):
    """This start code has been used."""

    code = "code_used"


class LinkDead(NotFound):
    """This link is no longer valid."""

    code = "link_dead"


class WaitNotOver(Invalid):
    """You have not waited long enough yet."""

    code = "wait_not_over"


class NotWaiting(Conflict):
    """Nobody is waiting at the door."""

    code = "not_waiting"


class TechnicianBusy(Conflict):
    """This technician is booked for that time."""

    code = "technician_busy"


class SameTechnician(Invalid):
    """This technician has the order already."""

    code = "same_technician"
