"""Quick replies: texts with variables, `{{customer_name}}`. Pure.

The grammar is a name in double braces and nothing else: no expressions, no attributes, no code. What a variable holds
is put in as it is and never read again, so that a customer whose name is `{{order_no}}` stays called that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from chat.desk.errors import ReplyTemplateInvalid

BODY_MAX = 1000
"""FR-148."""

VARIABLES = ("customer_name", "agent_name", "order_no", "ticket_no", "queue_name", "due_at")
SCOPES = ("platform", "tenant", "own")

_BRACES = re.compile(r"\{\{\s*([a-z_]{1,40})\s*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickReply:
    """`owner_id`: '' for the platform's, else the tenant or the agent whose it is."""

    id: str
    scope: str
    owner_id: str
    folder: str
    shortcut: str
    body: str
    version: int = 1


def check_body(body: str, *, variables: Collection[str] = VARIABLES, characters_max: int = BODY_MAX) -> None:
    """Raises ReplyTemplateInvalid."""
    if not body.strip() or len(body) > characters_max:
        raise ReplyTemplateInvalid(characters_max=characters_max)
    unknown = [name for name in _BRACES.findall(body) if name not in variables]
    rest = _BRACES.sub("", body)
    if unknown or "{{" in rest or "}}" in rest:
        raise ReplyTemplateInvalid(unknown=unknown)


def render(body: str, values: Mapping[str, str]) -> str:
    """The text; a variable nobody gave is left as it is written, for the agent to see."""
    return _BRACES.sub(lambda found: values.get(found[1], found[0]), body)


def missing(body: str, values: Mapping[str, str]) -> list[str]:
    """Variables of the text that have no value, in order."""
    return [name for name in dict.fromkeys(_BRACES.findall(body)) if name not in values]
