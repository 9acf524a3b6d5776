"""ETag, If-Match and If-None-Match over resource versions (RFC 9110 §13): `"v17"` is version 17."""

from __future__ import annotations

import re

from rest.edge.errors import BadRequest, StaleVersion, VersionRequired

_TAG = re.compile(r'(W/)?"([^"]*)"')
_VERSION = re.compile(r"v([1-9][0-9]{0,9})")


def etag(version: int) -> str:
    return f'"v{version}"'


def expected_versions(header: str | None) -> frozenset[int]:
    """The versions an If-Match names; strong comparison, so weak tags name none.

    Raises VersionRequired without the header, and for `*` (whoever changes a thing must have read it); BadRequest.
    """
    if header is None or header.strip() == "*":
        raise VersionRequired
    tags = _TAG.findall(header)
    if not tags:
        raise BadRequest('If-Match takes entity tags, such as "v3".')
    versions = [_VERSION.fullmatch(tag) for weak, tag in tags if not weak]
    return frozenset(int(found[1]) for found in versions if found)


def check_version(expected: frozenset[int], actual: int) -> None:
    """Raises StaleVersion with the version the resource has now."""
    if actual not in expected:
        raise StaleVersion(version=actual)


def is_known(header: str | None, tag: str) -> bool:
    """Whether If-None-Match already names this tag; weak comparison (RFC 9110 §13.1.2)."""
    if header is None:
        return False
    if header.strip() == "*":
        return True
    return any(f'"{known}"' == tag for _, known in _TAG.findall(header))
