"""A stored file as an answer: with a name, and never run by a browser whatever is in it."""

from __future__ import annotations

from rest.edge.reply import Reply
from rest.people.files.model import PICTURES, disposition
from storage import files
from storage.files import StoredFile
from storage.tx import Tx

_CLOSED = "default-src 'none'; sandbox"


async def file_reply(tx: Tx, file: StoredFile) -> Reply:
    """For the route of a domain that has let the caller in."""
    headers = {
        "Content-Type": file.media_type,
        "Content-Disposition": disposition(file.name, inline=file.media_type in PICTURES),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": _CLOSED,
    }
    return Reply(raw=await files.content(tx, file.id), headers=headers)
