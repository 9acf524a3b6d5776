"""Facts in, notices out: the one place where what happened becomes what somebody is told.

A batch of facts is one transaction, together with the place in the feed. What ended within the batch is written read:
nobody is woken by an offer that has gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dispatch
from chat import desk
from rest.reach.actions import chat
from rest.reach.actions.telling import ROOM, notice_of, tell, tell_counts
from rest.reach.kinds import BY_TOPIC, CHAT, ENDINGS, MEMBERS, READ, SAID, SIGNED_OUT, STAFF, Rule
from rest.reach.model import Channel, Notice
from rest.reach.store import deliveries, notices
from rest.reach.terms import Terms
from storage.base import codec
from storage.outbox import FeedFact
from storage.tx import Tx

AGENTS_MAX = 200
"""Of a desk told at once; who is beyond them hears it at the console."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A fact, decoded."""

    id: str
    topic: str
    body: Mapping[str, Any]
    audience: tuple[str, ...]

    @classmethod
    def of(cls, fact: FeedFact) -> Heard:
        return cls(fact.fact_id, fact.topic, codec.loads(fact.body), fact.audience)

    def among(self, words: frozenset[str]) -> list[tuple[str, str]]:
        """(word, id) of those of the audience these words name; a desk has no id."""
        parts = (listener.partition(":") for listener in self.audience)
        return [(word, of) for word, _, of in parts if word in words and bool(of) == (word not in STAFF)]


@dataclass(frozen=True, slots=True)
class People:
    """Who the audiences of one batch are."""

    workers: Mapping[str, str]
    on_duty: Sequence[str]

    def accounts(self, heard: Heard, words: frozenset[str]) -> list[str]:
        found: dict[str, None] = {}
        for word, of in heard.among(words):
            if word in STAFF:
                found |= dict.fromkeys(self.on_duty)
            elif word in MEMBERS:
                found |= dict.fromkeys([of] if of in self.on_duty else [])
            elif word == "worker":
                found |= dict.fromkeys([self.workers[of]] if of in self.workers else [])
            else:
                found[of] = None
        return list(found)


async def hear(tx: Tx, facts: Sequence[FeedFact], terms: Terms) -> list[Notice]:
    """Tell people of these facts, in their order; which notices were new."""
    heard = [Heard.of(fact) for fact in facts]
    people = await _people(tx, heard)
    wanted: list[Notice] = []
    over: list[str] = []
    for one in heard:
        if (ending := ENDINGS.get(one.topic)) is not None:
            key = ending.key(one.body)
            over.append(key)
            wanted = [replace(was, read_at=tx.now) if was.collapse_key == key else was for was in wanted]
        for rule in BY_TOPIC.get(one.topic, ()):
            if rule.when(one.body):
                wanted += _notices(tx, rule, one, people)
        await _follow(tx, one, people, terms)
    await tell_counts(tx, await notices.end(tx, over))
    return await tell(tx, wanted, terms)


def _notices(tx: Tx, rule: Rule, heard: Heard, people: People) -> list[Notice]:
    to = people.accounts(heard, rule.to)
    if Channel.WECOM in rule.channels and heard.among(STAFF):
        to.append(ROOM)
    about = rule.about(heard.body)
    return [notice_of(tx, rule, who, fact_id=heard.id, fact=heard.body, about=about) for who in to]


async def _follow(tx: Tx, heard: Heard, people: People, terms: Terms) -> None:
    """What else follows: chat waits, what was read elsewhere, devices of a session that ended."""
    body = heard.body
    if heard.topic == SAID and body["kind"] != "system":
        for account_id in sorted(set(people.accounts(heard, CHAT.to)) - {body["sender_id"]}):
            await chat.wait(tx, body["conversation_id"], account_id, fact_id=heard.id, terms=terms)
    elif heard.topic == READ and body["read_seq"]:
        key = f"chat:{body['conversation_id']}"
        if await notices.end_chat(tx, body["reader_id"], key, read_seq=body["read_seq"]):
            await tell_counts(tx, [body["reader_id"]])
    elif heard.topic == SIGNED_OUT:
        await deliveries.drop_devices_of(tx, [body["session_id"]])


async def _people(tx: Tx, heard: Sequence[Heard]) -> People:
    workers = {of for one in heard for _, of in one.among(frozenset({"worker"}))}
    staff = any(one.among(STAFF | MEMBERS) for one in heard if one.topic in BY_TOPIC)
    on_duty = await desk.on_duty(tx, limit=AGENTS_MAX) if staff else ()
    return People(await dispatch.accounts_of(tx, sorted(workers)), on_duty)
