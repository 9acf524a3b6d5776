"""HTTP edge of files: send a picture, read one's own files."""

from __future__ import annotations

from datetime import datetime

import msgspec

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Query
from rest.people.files.model import UNATTACHED_KEPT, PictureUnreadable, Purpose, TypeRefused
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


class UploadQuery(Query, frozen=True, kw_only=True):
    """What the picture is for; only that may be made of it."""

    purpose: Purpose


async def upload(ctx: Ctx) -> Answer:
    query: UploadQuery = ctx.query
    picture = await taken_in(ctx.body)

    async def act(tx: Tx) -> Answer:
        kept = await files.keep(
            tx,
            picture.content,
            owner_id=ctx.actor.account_id,
            purpose=query.purpose.value,
            media_type=picture.media_type,
            name=f"{query.purpose.value}.{_EXTENSIONS[picture.media_type]}",
            expires_at=tx.now + UNATTACHED_KEPT,
            day_bytes_max=ctx.settings.file_day_bytes_max,
        )
        return Reply(FileView.of(kept), location=f"/v1/files/{kept.id}")

    return await ctx.transact(act)


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        file = await files.read_for_owner(tx, ctx.path["file_id"], ctx.actor.account_id)
        return await file_reply(tx, file)


_TAGS = ("files",)

ROUTES = [
    Route(
        "POST", "/v1/files", upload, "files.upload", "Send a picture for something that will need it",
        query=UploadQuery, uploads=("image/jpeg", "image/png", "image/webp", "multipart/form-data"),
        response=FileView, status=201, idempotent="optional", tags=_TAGS,
        errors=(TypeRefused, PictureUnreadable, FileQuota),
        description="The picture itself as the body, or one part of a multipart form (its first file). It is stored "
        "upright, within 2560 pixels, without what the camera noted about itself and the place. Name its id in the "
        "form it belongs to within 24 hours.",
    ),
    Route(
        "GET", "/v1/files/{file_id}", read, "files.read", "One of my files",
        response=bytes, media="*/*", tags=_TAGS,
    ),
]  # fmt: skip
