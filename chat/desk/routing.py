"""Where a new thread goes: ordered rules, the first that fits. Pure, and able to say why for each rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chat.desk.errors import RulesInvalid
from chat.desk.model import Kind, Severity

RULES_MAX = 200
_ORDER = tuple(Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is known of a thread when it comes. `region`: a code the line gives, such as a city or a store."""

    kind: Kind
    category: str
    severity: Severity = Severity.NORMAL
    tenant_id: str | None = None
    line: str = ""
    region: str = ""
    is_member: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """What a rule asks; an empty tuple or None asks nothing. A `region` fits all codes it begins."""

    kinds: tuple[Kind, ...] = ()
    categories: tuple[str, ...] = ()
    tenant_ids: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    severity_min: Severity = Severity.LOW
    is_member: bool | None = None

    def unmet(self, asked: Request) -> list[str]:
        """What keeps the rule from fitting, by the names of its conditions; empty when it fits."""
        tests = {
            "kinds": not self.kinds or asked.kind in self.kinds,
            "categories": not self.categories or asked.category in self.categories,
            "tenant_ids": not self.tenant_ids or asked.tenant_id in self.tenant_ids,
            "lines": not self.lines or asked.line in self.lines,
            "regions": not self.regions or asked.region.startswith(self.regions),
            "severity_min": _ORDER.index(asked.severity) >= _ORDER.index(self.severity_min),
            "is_member": self.is_member is None or self.is_member is asked.is_member,
        }
        return [name for name, is_met in tests.items() if not is_met]


EVERYTHING = When()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """To this queue, asking for these skills, and first for this agent if one is named."""

    name: str
    queue_id: str
    when: When = field(default_factory=When)
    required_skills: tuple[str, ...] = ()
    optional_skills: tuple[str, ...] = ()
    agent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule that was looked at; `unmet` is empty for the one that fits, which is the last."""

    rule: Rule
    unmet: tuple[str, ...]


def check_rules(rules: Sequence[Rule]) -> None:
    """Raises RulesInvalid: a list that could leave a thread without a queue, or with a rule nothing can reach."""
    if not rules or len(rules) > RULES_MAX:
        raise RulesInvalid
    if rules[-1].when != EVERYTHING:
        raise RulesInvalid("The last rule must take everything.")
    if any(rule.when == EVERYTHING for rule in rules[:-1]):
        raise RulesInvalid("Nothing reaches the rules behind one that takes everything.")


def route(rules: Sequence[Rule], asked: Request) -> list[Tried]:
    """Each rule tried, up to the first that fits. Rules are checked, so the last one tried does."""
    tried = []
    for rule in rules:
        unmet = tuple(rule.when.unmet(asked))
        tried.append(Tried(rule, unmet))
        if not unmet:
            break
    return tried
