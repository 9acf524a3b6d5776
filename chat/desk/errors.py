"""Refusals of the desk."""

from __future__ import annotations

from storage.base.errors import Conflict, Denied, Invalid


class ThreadState(Conflict):
    """This thread is not in a state that allows it."""

    code = "thread_state"


class OfferGone(Conflict):
    """This offer is no longer yours: it was taken back, or somebody else has it."""

    code = "offer_gone"


class SnoozeTime(Invalid):
    """It can be put aside for a minute at least and thirty days at most, and this evening only before it."""

    code = "snooze_time"


class AgentFull(Conflict):
    """This agent has no room for it."""

    code = "agent_full"


class AgentOffDuty(Invalid):
    """This agent is not on duty; a supervisor may override it."""

    code = "agent_off_duty"


class AgentStateInvalid(Conflict):
    """An agent in this state cannot go to that one."""

    code = "agent_state"


class AgentNotMember(Invalid):
    """Only members serve this queue; make the agent one, or hand the thread to a queue of his."""

    code = "agent_not_member"


class AgentElsewhere(Conflict):
    """This account is an agent of another desk."""

    code = "agent_elsewhere"


class CapBelowLoad(Conflict):
    """The agent holds more than that; it can be set when some of it is closed."""

    code = "cap_below_load"


class NoteRequired(Invalid):
    """Say why: a transfer needs a note for whoever comes next."""

    code = "note_required"


class ResolutionRequired(Invalid):
    """A ticket is resolved with a text."""

    code = "resolution_required"


class ReopenTooLate(Conflict):
    """It was closed too long ago to be opened again."""

    code = "reopen_too_late"


class TalksElsewhere(Conflict):
    """The customer has opened another conversation about this since; it goes on there."""

    code = "talks_elsewhere"


class NotYours(Denied):
    """Another agent has this thread."""

    code = "not_assignee"


class RatingClosed(Conflict):
    """This rating was given, and the time to change it is over."""

    code = "rating_closed"


class RatingTokenInvalid(Denied):
    """This link does not open a rating."""

    code = "rating_token_invalid"


class RatingDenied(Denied):
    """Whoever answers customers does not rate."""

    code = "rating_denied"


class RulesInvalid(Invalid):
    """These rules cannot be: the last one must take everything, and each must name a queue that exists."""

    code = "rules_invalid"


class QueueInvalid(Invalid):
    """This queue cannot be: numbers out of range, or an overflow that leads back to it."""

    code = "queue_invalid"


class RoutingMissing(Conflict):
    """Nobody has published routing rules yet."""

    code = "routing_missing"


class ReplyTemplateInvalid(Invalid):
    """This text cannot be rendered: unknown variable, unclosed braces, or too long."""

    code = "reply_template_invalid"


class ShortcutUsed(Conflict):
    """There is a quick reply with this shortcut already."""

    code = "shortcut_used"
