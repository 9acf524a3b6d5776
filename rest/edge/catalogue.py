"""All error codes: for the documentation, and for the test that keeps them unique."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from rest.edge import wording
from storage.base.errors import HubError, all_errors


@dataclass(frozen=True, slots=True)
class Entry:
    """One code, as people read about it."""

    code: str
    status: int
    retryable: bool
    english: str
    chinese: str
    detail: str


def catalogue() -> list[Entry]:
    """Every code declared by the modules imported so far, by status and code."""
    by_code: dict[str, list[type[HubError]]] = defaultdict(list)
    for kind in all_errors():
        if kind is HubError:  # what all the others are; nobody raises it
            continue
        by_code[kind.code].append(kind)
    return sorted((_entry(kinds) for kinds in by_code.values()), key=lambda entry: (entry.status, entry.code))


def _entry(kinds: list[type[HubError]]) -> Entry:
    """Domains may refuse with one code, each in its own words (`code_expired`); status and retry are the same."""
    first = kinds[0]
    details = dict.fromkeys((kind.__doc__ or "").strip().splitlines()[0] for kind in kinds)
    english, chinese = wording.title(first.code, "en"), wording.title(first.code, "zh")
    return Entry(first.code, first.status, first.retry, english, chinese, " Or: ".join(details))


def page() -> str:
    """docs/errors.md."""
    lines = [
        "# Error codes",
        "",
        "Generated from the error classes by `python -m tests.edge.errors_page`; do not edit.",
        "",
        "A code is stable and never renamed. Over HTTP it is the `code` of an RFC 9457 problem, over sockets that of",
        "the error in the acknowledgement. `retry` says whether the same request may succeed later.",
        "",
        "| code | status | retry | meaning |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{entry.code}` | {entry.status} | {'yes' if entry.retryable else 'no'} | {entry.detail} |"
        for entry in catalogue()
    ]
    return "\n".join(lines) + "\n"
