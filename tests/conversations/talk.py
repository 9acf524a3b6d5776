"""Short ways to talk in tests, and what must be true of every conversation whatever was done to it."""

from __future__ import annotations

from typing import Any

from chat import conversations
from chat.conversations import Content, Kind, Reader, Role, Said, Staff
from storage.base import codec
from storage.base.errors import HubError
from storage.postgres import Database
from storage.tx import Tx

ANN = Reader("acc_ann")
BOB = Reader("acc_bob")
TOM = Reader("acc_tom")
SUE = Reader("acc_sue", Staff())
SAM = Reader("acc_sam", Staff())
LEAD = Reader("acc_lead", Staff(is_supervisor=True))
TIA = Reader("acc_tia", Staff("ten_a"))
TOBY = Reader("acc_toby", Staff("ten_b"))
TLEAD = Reader("acc_tlead", Staff("ten_a", is_supervisor=True))
ORDER = ("order", "ord_1")


async def opened(db: Database, customer: Reader = ANN, **more: Any) -> str:
    """A conversation of this customer; its id."""
    return (await db.run(conversations.open_conversation, customer_id=customer.account_id, **more))[0].id


async def says(db: Database, who: Reader, where: str, text: str = "hello", client_id: str = "", **more: Any) -> Said:
    """Say a text (with `kind`, something else)."""
    content = Content(
        kind=more.pop("kind", Kind.TEXT), text=text, data=more.pop("data", None), file_id=more.pop("file_id", None),
        reply_to=more.pop("reply_to", None),
    )  # fmt: skip
    client_id = client_id or f"{who.account_id} {text}"
    run = db.run_light if content.file_id is None else db.run  # as the edge does
    return await run(conversations.say, who, where, content, client_id=client_id, **more)


async def notes(db: Database, who: Reader, where: str, text: str = "he is rude") -> Said:
    return await says(db, who, where, text, kind=Kind.NOTE)


async def code_of(work: Any) -> str:
    """The code it was refused with, or ok."""
    try:
        await work
    except HubError as refusal:
        return refusal.code
    return "ok"


async def texts(db: Database, who: Reader, where: str) -> list[str]:
    async with db.begin() as tx:
        return [
            message.body for message in await conversations.history(tx, who, where, is_oldest_first=True, limit=1_000)
        ]


async def told(db: Database) -> list[tuple[str, dict[str, Any], list[str]]]:
    """(topic, body, audience) in order."""
    async with db.begin() as tx:
        rows = await tx.fetch("SELECT topic, body, audience FROM outbox ORDER BY id")
    return [(row["topic"], codec.loads(row["body"]), row["audience"]) for row in rows]


async def agent_joins(db: Database, where: str, who: Reader = SUE) -> None:
    await db.run(conversations.join, where, who.account_id, Role.AGENT)


FAULTS = {
    "C1: a message is there twice": """
        SELECT conversation_id FROM messages GROUP BY conversation_id, sender_id, client_id HAVING count(*) > 1""",
    "C2: a hole, or an end that is not the end": """
        SELECT c.id FROM conversations c LEFT JOIN messages m ON m.conversation_id = c.id GROUP BY c.id
        HAVING count(m.seq) <> c.last_seq OR coalesce(max(m.seq), 0) <> c.last_seq""",
    "C2: time goes back": """
        SELECT conversation_id FROM (SELECT conversation_id, at < lag(at) OVER (
               PARTITION BY conversation_id ORDER BY seq) AS goes_back FROM messages) AS m WHERE goes_back""",
    "the chain of public messages is broken": """
        SELECT conversation_id FROM (
               SELECT conversation_id, prev_seq, coalesce(max(seq) FILTER (WHERE NOT is_internal) OVER (
                      PARTITION BY conversation_id ORDER BY seq
                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS is_prev
                 FROM messages) AS m WHERE prev_seq <> is_prev""",
    "the last public message is another": """
        SELECT c.id FROM conversations c WHERE public_seq <> coalesce(
               (SELECT max(seq) FROM messages WHERE conversation_id = c.id AND NOT is_internal), 0)""",
    "C6: marks are out of order": """
        SELECT p.account_id FROM participants p JOIN conversations c ON c.id = p.conversation_id
         WHERE NOT (p.read_seq <= p.delivered_seq AND p.delivered_seq <= c.last_seq)""",
    "C7: something internal was told to who is served": """
        SELECT o.fact_id FROM outbox o JOIN messages m ON m.conversation_id = (o.body::jsonb ->> 'conversation_id')
                AND m.seq = (o.body::jsonb ->> 'message_seq')::bigint
         WHERE m.is_internal AND EXISTS (
               SELECT FROM unnest(o.audience) AS a WHERE a LIKE 'customer:%' OR a LIKE 'worker:%')""",
    "a recalled text is still there": """
        SELECT t.conversation_id FROM messages t
         WHERE t.recalled_at IS NOT NULL AND (t.body <> '' OR EXISTS (SELECT FROM messages e
               WHERE e.conversation_id = t.conversation_id AND e.target_seq = t.seq AND e.body <> ''))""",
}
"""Must find nothing, at any time."""


async def faults(tx: Tx) -> list[str]:
    return [f"{name}: {row[0]}" for name, sql in FAULTS.items() for row in await tx.fetch(sql)]
