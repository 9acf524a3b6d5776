"""Routes as data: one row says what a route takes, gives, refuses and who may call it.

The same rows build the aiohttp handlers (`serve`), the OpenAPI document (`openapi`) and the contract tests,
so that none of the three can say something else than the others.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from rest.edge.reply import Answer
from storage.base.errors import HubError

OWN_ROLES = frozenset({"user", "technician"})
"""Roles of people who act for themselves; whoever has another acts for the house."""

PUBLIC: tuple[str, ...] = ()
"""Roles of a route that needs no sign-in."""

Handler = Callable[[Any], Awaitable[Answer]]
"""Takes the `Ctx` of the request. Not named here: the context knows its route, and arrows run one way."""

_PATH = re.compile(r"(?:/(?:[a-z0-9_.-]+|\{[a-z][a-z0-9_]*\}))+")
_OPERATION = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
_PATH_VARIABLE = re.compile(r"\{([a-z0-9_]+)\}")


@dataclass(frozen=True, slots=True)
class Link:
    """What a caller can do next with an answer; values are OpenAPI expressions (`$response.body#/id`)."""

    operation_id: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `errors` are the refusals of its verb; those of the edge are added by the edge itself.

    `idempotent`: whether an Idempotency-Key is needed, welcome, or unknown here. `if_match`: the caller must
    name the version it has read (`ctx.expect`). `has_etag`: the answer names its version. `cache`:
    Cache-Control; private data is never stored. `media`: the answer's content type, set by the handler.
    `uploads`: the body is a file of these types, bounded by its own setting; `ctx.body` has its bytes.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Handler
    operation_id: str
    summary: str
    request: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    response: Any = None
    status: int = 200
    errors: tuple[type[HubError], ...] = ()
    roles: tuple[str, ...] = ("user",)
    idempotent: Literal["required", "optional"] | None = None
    if_match: bool = False
    tags: tuple[str, ...] = ()
    description: str = ""
    links: Mapping[str, Link] = field(default_factory=dict)
    cache: str = "no-store"
    has_etag: bool = False
    media: str = "application/json"
    uploads: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a row that contradicts itself: found at start, not by a caller."""
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"{self.operation_id}: {self.path} is not made of words and {{variables}}")
        if not _OPERATION.fullmatch(self.operation_id):
            raise ValueError(f"{self.operation_id} must look like orders.cancel")
        for kind in (self.request, self.query):
            if kind is not None and not kind.__struct_config__.forbid_unknown_fields:
                raise ValueError(f"{self.operation_id}: {kind.__name__} must forbid unknown fields")
        if self.request is not None and self.method in {"GET", "DELETE"}:
            raise ValueError(f"{self.operation_id}: {self.method} has no body")
        if self.uploads and (self.request is not None or self.method != "POST"):
            raise ValueError(f"{self.operation_id}: a file is the body of a POST, and nothing beside it")
        if self.idempotent is not None and self.method != "POST":
            raise ValueError(f"{self.operation_id}: only POST takes an Idempotency-Key")
        if self.idempotent is not None and not self.roles:
            raise ValueError(f"{self.operation_id}: a key belongs to a caller, and nobody knows who this one is")
        if (self.response is None) != (self.status == 204):
            raise ValueError(f"{self.operation_id}: no body means 204, and 204 no body")

    @property
    def path_variables(self) -> tuple[str, ...]:
        return tuple(_PATH_VARIABLE.findall(self.path))

    @property
    def is_public(self) -> bool:
        return not self.roles

    @property
    def is_audited(self) -> bool:
        """Whether staff change something here."""
        return self.method != "GET" and bool(self.roles) and OWN_ROLES.isdisjoint(self.roles)


Routes = list[Route]


def check_table(routes: Routes) -> None:
    """Refuse two rows for one operation. Raises ValueError naming both."""
    seen: dict[str, str] = {}
    for route in routes:
        template = _PATH_VARIABLE.sub("{}", route.path)
        for name in (route.operation_id, f"{route.method} {template}"):
            if name in seen:
                raise ValueError(f"{name} is declared by {seen[name]} and by {route.operation_id}")
            seen[name] = route.operation_id
    for route in routes:
        for name, link in route.links.items():
            if link.operation_id not in seen:
                raise ValueError(f"{route.operation_id}: link {name} leads nowhere ({link.operation_id})")
