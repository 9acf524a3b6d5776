"""What a queue says by itself to who opens a chat with it: a greeting, or out of hours when people are back."""

from __future__ import annotations

from chat import conversations
from chat.desk.greetings import text_of
from chat.desk.model import Queue, Thread
from storage.tx import Tx


async def greet(tx: Tx, thread: Thread, queue: Queue, *, is_open: bool, language: str, customer_name: str) -> None:
    """Once for each chat that was opened with this queue, in nobody's name: it is no answer of an agent's."""
    texts = queue.greeting if is_open else queue.closed_notice
    if not texts:
        return
    known = {"customer_name": customer_name, "queue_name": queue.name, "ticket_no": thread.number or ""}
    event = "greeting" if is_open else "closed_notice"
    await conversations.say_system(
        tx,
        thread.conversation_id,
        text_of(texts, language, known),
        client_id=f"{event}:{queue.id}",
        data={"event": event, "queue_id": queue.id},
    )
