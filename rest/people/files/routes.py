"""HTTP edge of files: send a picture, read one's own files."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Query
from rest.people.files.model import DOCUMENT, UNATTACHED_KEPT, PictureUnreadable, Purpose, TypeRefused, is_document
from rest.people.files.pictures import taken_in
from rest.people.files.replies import file_reply
from storage import files
from storage.files import FileQuota, StoredFile
from storage.tx import Tx

_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file. One that nothing has been made of until `expires_at` is forgotten then."""

    id: str
    purpose: str
    media_type: str
    name: str
    size: int
    created_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, file: StoredFile) -> FileView:
        return cls(
            id=file.id,
            purpose=file.purpose,
            media_type=file.media_type,
            name=file.name,
            size=file.size,
            created_at=file.created_at,
            expires_at=file.expires_at,
        )


FileName = Annotated[str, Meta(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]


class UploadQuery(Query, frozen=True, kw_only=True):
    """What the file is for; only that may be made of it. `name`: what a document is called."""

    purpose: Purpose
    name: FileName = "document.pdf"


async def upload(ctx: Ctx) -> Answer:
    query: UploadQuery = ctx.query
    content, media_type, name = await _looked_at(ctx.body, query)

    async def act(tx: Tx) -> Answer:
        kept = await files.keep(
            tx,
            content,
            owner_id=ctx.actor.account_id,
            purpose=query.purpose.value,
            media_type=media_type,
            name=name,
            expires_at=tx.now + UNATTACHED_KEPT,
            day_bytes_max=ctx.settings.file_day_bytes_max,
        )
        return Reply(FileView.of(kept), location=f"/v1/files/{kept.id}")

    return await ctx.transact(act)


async def _looked_at(content: bytes, query: UploadQuery) -> tuple[bytes, str, str]:
    """What is stored, its type and its name. Raises TypeRefused, PictureUnreadable."""
    if query.purpose is Purpose.CHAT and is_document(content):
        return content, DOCUMENT, query.name
    picture = await taken_in(content)
    return picture.content, picture.media_type, f"{query.purpose.value}.{_EXTENSIONS[picture.media_type]}"


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        file = await files.read_for_owner(tx, ctx.path["file_id"], ctx.actor.account_id)
        return await file_reply(tx, file)


_TAGS = ("files",)

ROUTES = [
    Route(
        "POST", "/v1/files", upload, "files.upload", "Send a file for something that will need it",
        query=UploadQuery, uploads=("image/jpeg", "image/png", "image/webp", DOCUMENT, "multipart/form-data"),
        response=FileView, status=201, idempotent="optional", tags=_TAGS,
        errors=(TypeRefused, PictureUnreadable, FileQuota),
        description="The file itself as the body, or one part of a multipart form (its first file). A picture is "
        "stored upright, within 2560 pixels, without what the camera noted about itself and the place; a PDF, for a "
        "chat only, as it is. Name its id in the form it belongs to within 24 hours.",
    ),
    Route(
        "GET", "/v1/files/{file_id}", read, "files.read", "One of my files",
        response=bytes, media="*/*", tags=_TAGS,
    ),
]  # fmt: skip
