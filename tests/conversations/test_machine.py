"""Conversations as a property: whatever is said, changed, joined, left and lost at once, C1–C3, C6 and C7 hold.

Hypothesis drives the verbs on real PostgreSQL, several at the same time on connections of their own. After every step
the database is asked (`talk.faults`), every message that was acknowledged is looked for (C1), and three people compare
notes: each holds what he heard in his feed, of which some was lost, asks for the rest as a client does, and must then
hold exactly what the server shows him, with the places and texts of everybody else (C3, C4), and no note but staff's.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from typing import Any, TypeVar

from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chat import conversations
from chat.conversations import Message, Reader, Role
from storage.base import codec
from storage.base.clock import ManualClock
from storage.base.errors import HubError
from storage.postgres import Database
from tests.conftest import MONDAY, wipe
from tests.conversations.talk import ANN, LEAD, ORDER, SAM, SUE, TOM, faults, notes, says

T = TypeVar("T")
EXAMPLES = int(os.environ.get("FIELDHUB_TEST_EXAMPLES", "6"))
WHO = {one.account_id: one for one in (ANN, TOM, SUE, SAM, LEAD)}
AUDIENCES = {"acc_ann": ["customer:acc_ann"], "acc_tom": ["worker:wrk_1"], "acc_sue": ["agent:acc_sue"]}


class View:
    """What one client holds of the conversation: by seq, as text; changed ones as they read now."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.have: dict[int, tuple[str, str]] = {}
        self.upto = 0

    def take(self, seq: int, kind: str, text: str, target: int | None) -> None:
        if seq in self.have:
            return
        self.have[seq] = (kind, text)
        if target is not None and target in self.have:
            self.have[target] = (self.have[target][0], text)
        if kind == "recall":
            for other, (what, _) in list(self.have.items()):
                if what == "edit" and self.have[other][1] and _targets.get(other) == target:
                    self.have[other] = ("edit", "")

    def take_all(self, messages: tuple[Message, ...]) -> None:
        for message in messages:
            if message.target_seq is not None:
                _targets[message.seq] = message.target_seq
            self.take(message.seq, message.kind.value, message.body, message.target_seq)
            self.upto = max(self.upto, message.seq)


_targets: dict[int, int] = {}


class Talk(RuleBasedStateMachine):
    """One conversation at a time, five people."""

    pg_url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = ManualClock(MONDAY)
        self.acknowledged: dict[tuple[str, str], int] = {}
        self.views = [View(reader) for reader in (ANN, TOM, SUE)]
        self.heard = 0
        self.count = 0
        self.epoch = 0
        _targets.clear()
        self.late: Database
        self.db, self.where = self.wait(self._build())

    def wait(self, work: Awaitable[T]) -> T:
        async def done() -> T:
            return await work

        return self.runner.run(done())

    async def _build(self) -> tuple[Database, str]:
        db = await Database.connect(self.pg_url, clock=self.clock, pool_size=6)
        await wipe(db)
        self.late = await Database.connect(self.pg_url, clock=ManualClock(MONDAY), pool_size=4)
        conversation, _ = await db.run(conversations.open_conversation, customer_id="acc_ann", subject=ORDER)
        await db.run(conversations.join, conversation.id, "acc_sue", Role.AGENT)
        await db.run(conversations.join, conversation.id, "acc_tom", Role.WORKER, audience="worker:wrk_1")
        return db, conversation.id

    def teardown(self) -> None:
        self.wait(self.late.close())
        self.wait(self.db.close())
        self.runner.close()

    async def _try(self, work: Awaitable[Any]) -> Any:
        """Its answer, or None when it was refused with a code. Anything else is a bug."""
        try:
            return await work
        except HubError:
            return None

    @rule(
        sends=st.lists(
            st.tuples(st.sampled_from(sorted(WHO)), st.integers(0, 3), st.booleans()), min_size=1, max_size=6
        ),
    )
    def say_at_once(self, sends: list[tuple[str, int, bool]]) -> None:
        """Several send at the same moment, some the same message, through processes whose clocks differ."""
        self.clock.advance(seconds=1)
        start = self.count
        self.count += 4

        async def send(who: str, n: int, is_note: bool) -> None:
            text = f"{who} {start + n}"
            db = self.db if n % 2 else self.late
            work = notes(db, WHO[who], self.where, text) if is_note else says(db, WHO[who], self.where, text)
            said = await self._try(work)
            if said is not None:
                assert self.acknowledged.setdefault((who, text), said.seq) == said.seq

        async def all_at_once() -> None:
            await asyncio.gather(*(send(*one) for one in sends))

        self.wait(all_at_once())

    @rule(data=st.data(), text=st.sampled_from(["changed", "改了"]), recalls=st.booleans())
    def change(self, data: st.DataObject, text: str, recalls: bool) -> None:
        if not self.acknowledged:
            return
        (who, _), seq = data.draw(st.sampled_from(sorted(self.acknowledged.items())))
        self.count += 1
        client_id = f"change {self.count}"
        if recalls:
            work = conversations.recall_message, WHO[who], self.where, seq
            twice = [self._try(self.db.run(*work, client_id=client_id)) for _ in range(2)]
        else:
            edit = conversations.edit_message, WHO[who], self.where, seq, text
            twice = [self._try(self.db.run(*edit, client_id=client_id)) for _ in range(2)]

        async def both() -> list[Any]:
            return await asyncio.gather(*twice)

        first, second = self.wait(both())
        assert (first is None) == (second is None)
        assert first is None or first.seq == second.seq

    @rule(who=st.sampled_from(sorted(WHO)), read=st.integers(0, 40), got=st.integers(0, 40))
    def read(self, who: str, read: int, got: int) -> None:
        async def both() -> None:
            await asyncio.gather(
                self._try(self.db.run(conversations.mark_read, WHO[who], self.where, read_seq=read)),
                self._try(self.db.run(conversations.mark_read, WHO[who], self.where, delivered_seq=got)),
            )

        self.wait(both())

    @rule(who=st.sampled_from(["acc_sue", "acc_sam", None]))
    def assign(self, who: str | None) -> None:
        self.epoch += 1
        self.wait(self._try(self.db.run(conversations.set_assignee, self.where, who, self.epoch)))
        self.wait(self.db.run(conversations.join, self.where, "acc_sue", Role.AGENT))

    @rule(closes=st.booleans())
    def close_or_reopen(self, closes: bool) -> None:
        verb = conversations.close_conversation if closes else conversations.reopen_conversation
        self.wait(self._try(self.db.run(verb, self.where)))

    @rule(who=st.sampled_from(["acc_lead", "acc_sam"]), comes=st.booleans())
    def come_or_go(self, who: str, comes: bool) -> None:
        if comes:
            self.wait(self.db.run(conversations.join, self.where, who, Role.OBSERVER))
        else:
            self.wait(self.db.run(conversations.leave, self.where, who))

    @rule(loses=st.lists(st.booleans(), min_size=3, max_size=3))
    def hear(self, loses: list[bool]) -> None:
        """Each hears his feed, or loses this stretch of it; whoever sees a hole or a late digest asks."""
        self.wait(self._hear(loses))

    async def _hear(self, loses: list[bool]) -> None:
        async with self.db.begin() as tx:
            rows = await tx.fetch("SELECT id, topic, body, audience FROM outbox WHERE id > $1 ORDER BY id", self.heard)
            for row in rows:
                self.heard = row["id"]
                body = codec.loads(row["body"])
                for view, is_lost in zip(self.views, loses, strict=True):
                    if is_lost or not set(AUDIENCES[view.reader.account_id]) & set(row["audience"]):
                        continue
                    if "message_seq" in body:
                        self._take(view, row["topic"], body)

    def _take(self, view: View, topic: str, body: dict[str, Any]) -> None:
        """A client takes only what joins on; else it waits for its sync."""
        seq, target = body["message_seq"], body.get("target_seq")
        prev = seq - 1 if view.reader.staff else body["prev_seq"]
        assert view.reader.staff or topic != "message.noted"
        if prev != view.upto:
            return
        if target is not None:
            _targets[seq] = target
        kind = {"message.edited": "edit", "message.recalled": "recall"}.get(topic) or body["kind"]
        view.take(seq, kind, body.get("text", ""), target)
        view.upto = seq

    @rule(who=st.integers(0, 2))
    def ask_for_the_rest(self, who: int) -> None:
        """C3, C4: what one then holds is what the server shows, changed texts included."""
        view = self.views[who]

        async def ask() -> list[Message]:
            async with self.db.begin() as tx:
                (delta,) = await conversations.sync(tx, view.reader, {self.where: view.upto})
                view.take_all(delta.messages)
                return await conversations.history(tx, view.reader, self.where, is_oldest_first=True, limit=1_000)

        shown = {message.seq: (message.kind.value, message.body) for message in self.wait(ask())}
        assert {seq: kept for seq, kept in view.have.items() if seq <= view.upto} == shown
        assert view.reader.staff or all(kind != "note" for kind, _ in shown.values())

    @invariant()
    def nothing_is_wrong_in_the_database(self) -> None:
        async def look() -> tuple[list[str], dict[tuple[str, str], int]]:
            async with self.db.begin() as tx:
                rows = await tx.fetch("SELECT sender_id, client_id, seq FROM messages WHERE target_seq IS NULL")
                kept = {(row["sender_id"], row["client_id"].partition(" ")[2]): row["seq"] for row in rows}
                return await faults(tx), kept

        found, kept = self.wait(look())
        assert found == []
        assert kept == self.acknowledged


def test_conversations_keep_their_promises(pg_url: str) -> None:
    class OnThisServer(Talk):
        pass

    OnThisServer.pg_url = pg_url
    run_state_machine_as_test(
        OnThisServer, settings=limits(max_examples=EXAMPLES, stateful_step_count=25, deadline=None)
    )
