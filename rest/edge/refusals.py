"""Which refusals an operation may answer with: what it declares, and what its features bring along."""

from __future__ import annotations

from rest.edge import errors
from rest.edge.registry import Route
from storage.base.errors import HubError
from storage.idempotency import KeyReused
from storage.postgres import TryAgain

ALWAYS: tuple[type[HubError], ...] = (
    errors.BadRequest,
    errors.UnknownParameter,
    errors.RateLimited,
    errors.Crash,
    TryAgain,
    errors.Unavailable,
)
"""Refusals any operation may give."""


def errors_of(route: Route) -> list[type[HubError]]:
    """Every refusal an operation may answer with: its own and those of its features."""
    found: list[type[HubError]] = [*route.errors, *ALWAYS]
    if not route.is_public:
        found += [errors.LoginRequired, errors.TokenInvalid, errors.TokenExpired, errors.SessionRevoked]
        found.append(errors.Forbidden)
    if route.path_variables:
        found.append(errors.NotFound)
    if route.query is not None or route.request is not None:
        found.append(errors.InvalidInput)
    if route.query is not None and "cursor" in route.query.__struct_fields__:
        found.append(errors.CursorInvalid)
    if route.request is not None:
        found += [errors.MalformedJson, errors.BodyTooLarge, errors.BodyTooSlow, errors.UnsupportedMediaType]
    if route.uploads:
        found += [errors.BodyTooLarge, errors.BodyTooSlow]
    if route.if_match:
        found += [errors.VersionRequired, errors.StaleVersion]
    if route.idempotent is not None:
        found += [errors.KeyInvalid, KeyReused, errors.KeyInProgress]
    if route.idempotent == "required":
        found.append(errors.KeyRequired)
    return list(dict.fromkeys(found))
