"""Facts: what committed transactions tell the world.

A fact is a frozen struct with a topic `noun.past_tense`. Declaring one registers it, so that the AsyncAPI document,
the subscribers and the tests all see the same list. Unknown fields are refused at construction by the class itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import msgspec

_registry: dict[str, type[Fact]] = {}


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all facts. A subclass names its topic.

    `class OfferMade(Fact, frozen=True): topic: ClassVar[str] = "offer.made"`; fields are JSON values and instants.
    """

    topic: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - passed through
        super().__init_subclass__(**options)
        topic = cls.__dict__.get("topic", "")
        if topic:
            known = _registry.get(topic)
            if known is not None and known.__qualname__ != cls.__qualname__:
                raise TypeError(f"topic {topic} is declared by {known.__qualname__} already")
            _registry[topic] = cls

    def filled(self, fields: Mapping[str, Any]) -> Self:
        """The same with these fields, given as in JSON."""
        return msgspec.convert(msgspec.to_builtins(self) | dict(fields), type(self))


def declared_facts() -> dict[str, type[Fact]]:
    """Topic to fact class, for everything imported so far."""
    return dict(sorted(_registry.items()))
