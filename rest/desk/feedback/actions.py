"""Verbs of feedback: said, handled."""

from __future__ import annotations

from collections.abc import Sequence

import dispatch
from rest.desk.feedback import store
from rest.desk.feedback.facts import FeedbackChanged
from rest.desk.feedback.model import Feedback, FeedbackLimit, FeedbackState, side_of, words_of
from rest.people.files.model import Purpose
from storage import files
from storage.base.clock import business_day
from storage.base.errors import NotFound
from storage.tx import Tx


async def send(
    tx: Tx, account_id: str, tenant_id: str | None, *, kind: str, body: str, file_ids: Sequence[str]
) -> Feedback:
    """Raises FeedbackEmpty, FeedbackLimit, NotFound and FileTaken for a picture."""
    worker = await dispatch.worker_of(tx, account_id)
    new = Feedback(
        id=tx.new_id("fbk"),
        account_id=account_id,
        side=side_of(is_worker=worker is not None, tenant_id=tenant_id),
        tenant_id=tenant_id,
        kind=kind,
        body=words_of(body),
        file_ids=tuple(dict.fromkeys(file_ids)),
        state=FeedbackState.OPEN,
        day=business_day(tx.now),
        created_at=tx.now,
        changed_at=tx.now,
    )
    if not await store.add(tx, new):
        raise FeedbackLimit
    for file_id in new.file_ids:
        await files.attach(
            tx, file_id, owner_id=account_id, purpose=Purpose.FEEDBACK.value, subject_id=new.id
        )
    tx.tell(_changed(new, is_reply=False), to=["desk"])
    return new


async def handle(tx: Tx, before: Feedback, verb: str, *, by_id: str, reply: str | None) -> Feedback:
    """The row is locked by the caller. Raises WrongFeedbackState, ReplyMissing."""
    after = before.after(verb, tx.now, by_id=by_id, reply=reply)
    await store.save(tx, after)
    worker = await dispatch.worker_of(tx, after.account_id)
    own = [f"customer:{after.account_id}", f"agent:{after.account_id}", *([f"worker:{worker.id}"] if worker else [])]
    tx.tell(_changed(after, is_reply=after.replied_at == tx.now), to=[*own, "desk"])
    return after


async def find(tx: Tx, feedback_id: str, *, account_id: str | None = None, lock: bool = False) -> Feedback:
    """Raises NotFound."""
    found = await store.find(tx, feedback_id, account_id=account_id, lock=lock)
    if found is None:
        raise NotFound
    return found


def _changed(one: Feedback, *, is_reply: bool) -> FeedbackChanged:
    return FeedbackChanged(feedback_id=one.id, kind=one.kind, state=one.state.value, is_reply=is_reply)
