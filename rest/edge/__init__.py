"""Edge: what every HTTP route shares; knows no domain.

Owns      the registry of operations, decoding and refusing, problems (RFC 9457), idempotency keys, pages and
          cursors, versions (ETag), quotas, request ids, the OpenAPI document and its page
Tables    none of its own; answers are kept by storage.idempotency
Calls     the gate given to its machine, to learn who is calling
Promises  one order of checks for all operations; no answer without a request id; no error but as a problem;
          one effect and one answer per Idempotency-Key

A domain writes `ROUTES: list[Route]` in its routes.py; `rest.app` mounts them.
"""

from rest.edge.actors import Actor, Gate
from rest.edge.context import Ctx
from rest.edge.limits import Quota
from rest.edge.machine import Machine
from rest.edge.registry import PUBLIC, Link, Route, Routes
from rest.edge.reply import PageReply, Reply
from rest.edge.runner import ProblemRunner
from rest.edge.serve import MACHINE
from rest.edge.values import Amount, Body, Id, Instant, Money, Page, PageQuery, Query

__all__ = [
    "MACHINE",
    "PUBLIC",
    "Actor",
    "Amount",
    "Body",
    "Ctx",
    "Gate",
    "Id",
    "Instant",
    "Link",
    "Machine",
    "Money",
    "Page",
    "PageQuery",
    "PageReply",
    "ProblemRunner",
    "Query",
    "Quota",
    "Reply",
    "Route",
    "Routes",
]
