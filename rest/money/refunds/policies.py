"""Policies by name and version: which one is sold under now, and a new version for what is sold from now on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest.money.refunds import store
from rest.money.refunds.ladder import Policy
from rest.money.refunds.ready import READY, check_successor, content
from storage.base.errors import Conflict
from storage.base.log import log
from storage.tx import Tx


class PolicyVersionTaken(Conflict):
    """This is not the next version of this policy; versions never change."""

    code = "policy_version_taken"


_CONTENT: Mapping[str, Mapping[str, Any]] = {name: content(policy) for name, policy in READY.items()}


def sold_under(name: str, published: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What an order snapshots: the newest published content (`store.LATEST`), or the one everybody begins with."""
    return _CONTENT[name] if published is None else published


async def current(tx: Tx, name: str) -> Policy:
    """The policy new orders are sold under."""
    return await store.latest(tx, name) or READY[name]


async def publish(tx: Tx, policy: Policy, *, note: str, by: str) -> None:
    """A new version, for orders sold from now on; those sold before keep theirs (I16).

    Raises PolicyInvalid, PolicyVersionTaken.
    """
    check_successor(policy)
    if not await store.insert_policy(tx, policy, note=note, by_id=by):
        raise PolicyVersionTaken
    log("refunds.policy_published", policy=policy.name, version=policy.version, by=by)
