"""What a handler gets: one request, decoded and authorised, able to open its transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from aiohttp import hdrs, web

from rest.edge import audit
from rest.edge.actors import Actor
from rest.edge.errors import LoginRequired
from rest.edge.idempotency import Claim
from rest.edge.limits import Quota
from rest.edge.machine import Machine
from rest.edge.paging import Key, Position
from rest.edge.problems import refuse
from rest.edge.registry import Route
from rest.edge.reply import Answer, Finished, PageReply, finish
from rest.edge.values import Page, PageQuery
from rest.edge.versions import check_version
from rest.edge.wording import Tongue, language
from storage.base import codec
from storage.base.clock import Clock
from storage.base.errors import HubError
from storage.base.ids import AFTER_ALL_IDS
from storage.base.settings import Settings
from storage.postgres import Database
from storage.tx import Tx

T = TypeVar("T")
Row = TypeVar("Row")

_PAGE_FIELDS = frozenset(PageQuery.__struct_fields__)


class Ctx:
    """One request: `path` has the path's variables, `body` and `query` are of the route's own types."""

    __slots__ = ("_actor", "_claim", "_expected", "_is_audited", "body", "machine", "path", "query", "request", "route")

    def __init__(self, machine: Machine, route: Route, request: web.Request, actor: Actor | None) -> None:
        self.machine = machine
        self.route = route
        self.request = request
        self.path: Mapping[str, str] = request.match_info
        # Any: the route names the type, the handler repeats it: `wanted: GrabBody = ctx.body`.
        self.body: Any = None
        self.query: Any = None
        self._actor = actor
        self._claim: Claim | None = None
        self._expected: frozenset[int] = frozenset()
        self._is_audited = False

    @property
    def actor(self) -> Actor:
        """Who calls. Raises LoginRequired on public routes."""
        if self._actor is None:
            raise LoginRequired
        return self._actor

    @property
    def db(self) -> Database:
        return self.machine.db

    @property
    def clock(self) -> Clock:
        return self.machine.db.clock

    @property
    def now(self) -> datetime:
        """The instant outside transactions; inside one use `tx.now`."""
        return self.machine.db.clock.now()

    @property
    def settings(self) -> Settings:
        return self.machine.settings

    @property
    def language(self) -> Tongue:
        """The caller's, by Accept-Language."""
        return language(self.request.headers.get(hdrs.ACCEPT_LANGUAGE))

    @property
    def app(self) -> web.Application:
        return self.request.app

    @property
    def address(self) -> str:
        """The caller's network address, as seen by the outermost trusted proxy."""
        return self.machine.address(self.request)

    def bind(self, claim: Claim | None, expected: frozenset[int]) -> None:
        """What the headers asked for; called by the edge before the handler."""
        self._claim = claim
        self._expected = expected

    async def transact(self, act: Callable[[Tx], Awaitable[Answer]], *, light: bool = False) -> Finished:
        """Run the request's one transaction and encode its answer.

        Serialization failures and deadlocks are repeated. With an Idempotency-Key the answer is stored in the
        transaction of the effect, and a repeated request gets it without another effect. `light`: `act` locks nothing
        and writes only with the end of the transaction, so that the end is all of it; it may run again for a repeated
        request, and what it did is then undone.
        """
        if self.route.is_audited:
            act = self._audited(act)
        if self._claim is None:
            return finish(await (self.db.run_light(act) if light else self.db.run(act)), self.route.status)
        claim, self._claim = self._claim, None
        return await claim.run(self.db, self.machine.twins, act, light=light)

    async def transact_each(
        self, name: str, ids: Sequence[str], act: Callable[[Tx, str], Awaitable[Answer]]
    ) -> list[Finished]:
        """As `transact`, a transaction for each of the ids: a refusal is the answer for that one and undoes no other.

        `name`: what the ids are, for the audit. The Idempotency-Key is one key for each id under it: what was done or
        refused for good stays so when the request is sent again. Raises KeyReused when it comes with another body.
        """
        claim, self._claim = self._claim, None
        self._is_audited = self.route.is_audited
        if claim is not None:
            await claim.run(self.db, self.machine.twins, _begin)
        return [await self._transact_one(claim, {**self.path, name: one}, _of(act, one)) for one in ids]

    async def _transact_one(
        self, claim: Claim | None, path: Mapping[str, str], act: Callable[[Tx], Awaitable[Answer]]
    ) -> Finished:
        if self.route.is_audited:
            act = self._audited(act, path)
        try:
            if claim is None:
                return finish(await self.db.run(act), self.route.status)
            return await claim.part(" ".join(path.values())).run(self.db, self.machine.twins, act)
        except HubError as refusal:
            return refuse(self.request, refusal)

    def _audited(
        self, act: Callable[[Tx], Awaitable[Answer]], path: Mapping[str, str] | None = None
    ) -> Callable[[Tx], Awaitable[Answer]]:
        self._is_audited = True

        async def act_and_write(tx: Tx) -> Answer:
            done = finish(await act(tx), self.route.status)
            await audit.write(
                tx,
                actor_id=self.actor.account_id,
                operation=self.route.operation_id,
                path=self.path if path is None else path,
                body=self.body,
                done=done,
                address=self.address,
            )
            return done

        return act_and_write

    @property
    def is_unaudited(self) -> bool:
        """Whether staff changed something and nobody wrote it down: the handler's mistake."""
        return self.route.is_audited and not self._is_audited

    @property
    def is_unclaimed(self) -> bool:
        """Whether an Idempotency-Key was sent and nothing has been done under it: the handler's mistake."""
        return self._claim is not None

    def expect(self, version: int) -> None:
        """Compare the version of the locked resource with If-Match. Raises StaleVersion."""
        check_version(self._expected, version)

    def spend(self, quota: Quota, caller: str) -> None:
        """Count against a quota of the verb's own. Raises RateLimited."""
        self.machine.limiter.take(quota, caller)

    @property
    def after(self) -> Position | None:
        """Where the previous page ended; None on the first. Raises CursorInvalid."""
        query: PageQuery = self.query
        return None if query.cursor is None else self.machine.cursors.open(self._list_scope(), query.cursor)

    @property
    def before_id(self) -> str:
        """The same for a list by id, newest first: what it goes on below. Raises CursorInvalid."""
        after = self.after
        return AFTER_ALL_IDS if after is None else str(after[0])

    @property
    def after_id(self) -> str:
        """The same for a list by id, oldest first: what it goes on above. Raises CursorInvalid."""
        after = self.after
        return "" if after is None else str(after[0])

    @property
    def before_number(self) -> int | None:
        """The same for a list by number, highest first; None for all. Raises CursorInvalid."""
        after = self.after
        return None if after is None else int(str(after[0]))

    def page(
        self, rows: Sequence[Row], *, view: Callable[[Row], T], key: Callable[[Row], tuple[Key, ...]]
    ) -> PageReply[T]:
        """One page out of rows fetched with `limit + 1`, in the order of `key` (sort value, then id)."""
        query: PageQuery = self.query
        shown = rows[: query.limit]
        has_more = len(rows) > query.limit
        cursor = self.machine.cursors.seal(self._list_scope(), key(shown[-1])) if has_more else None
        link = f'<{self.request.rel_url.update_query(cursor=cursor)}>; rel="next"' if cursor else ""
        return PageReply(Page([view(row) for row in shown], has_more, cursor), headers={"Link": link} if link else {})

    def _list_scope(self) -> str:
        names = [name for name in self.query.__struct_fields__ if name not in _PAGE_FIELDS]
        filters = [getattr(self.query, name) for name in names]
        who = self._actor.account_id if self._actor else ""
        path = self.request.rel_url.raw_path
        return f"{self.route.operation_id} {path} {who} {codec.dumps(filters).decode()}"


async def _begin(_: Tx) -> Answer:
    """That a request with several effects has come, under its key; what each effect gave is kept with that."""
    return Finished(200, {}, b"")


def _of(act: Callable[[Tx, str], Awaitable[Answer]], one: str) -> Callable[[Tx], Awaitable[Answer]]:
    return lambda tx: act(tx, one)
