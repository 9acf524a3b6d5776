"""Stored files: verbs on the table, pictures from outside, and both over HTTP."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rest.people.files import jobs
from rest.people.files.model import PIXELS_MAX, SIDE_MAX, PictureUnreadable, TypeRefused, disposition, sniff
from rest.people.files.pictures import remade
from rest.people.files.routes import ROUTES
from storage import files
from storage.base.clock import ManualClock
from storage.base.errors import NotFound
from storage.base.settings import Settings
from storage.files import FileTaken
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.money.serving import serve

SECRET_PLACE = b"30.5728N104.0668E"


def picture(kind: str = "JPEG", size: tuple[int, int] = (60, 40), *, turned: bool = False) -> bytes:
    """Red on the left, blue on the right, with all a camera notes."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, size[0], size[1]))
    exif = Image.Exif()
    exif[0x010E] = SECRET_PLACE.decode()
    if turned:
        exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees to see it so
    out = io.BytesIO()
    options: dict[str, Any] = {"comment": SECRET_PLACE} if kind == "JPEG" else {}
    image.save(out, kind, exif=exif, **options)
    return out.getvalue()


def bomb(width: int = 8_000, height: int = 6_251) -> bytes:
    """A good PNG of a few kilobytes that would be 150 megabytes as a picture."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * (width // 8 + 1) * height, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


# Pictures


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_written_anew_without_what_the_camera_noted(kind: str) -> None:
    given_bytes = picture(kind) + b"<script>hidden behind the end</script>"
    made = remade(given_bytes, sniff(given_bytes))
    assert SECRET_PLACE in given_bytes
    assert SECRET_PLACE not in made.content
    assert b"script" not in made.content
    seen = Image.open(io.BytesIO(made.content))
    assert (seen.format, seen.size, dict(seen.getexif()), seen.info.get("comment")) == (kind, (60, 40), {}, None)


def test_a_picture_stands_upright_and_within_bounds() -> None:
    made = remade(picture(turned=True), "image/jpeg")
    seen = Image.open(io.BytesIO(made.content)).convert("RGB")
    assert seen.size == (40, 60)
    red, _, blue = seen.getpixel((20, 5))  # type: ignore[misc]
    assert red > 200 > blue
    large = remade(picture("PNG", (SIDE_MAX * 2, 100)), "image/png")
    assert (large.width, large.height) == (SIDE_MAX, 50)


def test_what_is_clear_in_a_picture_stays_clear() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(out, "PNG")
    seen = Image.open(io.BytesIO(remade(out.getvalue(), "image/png").content))
    assert seen.getpixel((0, 0))[3] == 0  # type: ignore[index]


@pytest.mark.parametrize(("width", "height", "is_taken"), [(8_000, 6_250, True), (8_000, 6_251, False)])
def test_a_picture_that_grows_beyond_all_bounds_is_refused(width: int, height: int, is_taken: bool) -> None:
    assert (width * height <= PIXELS_MAX) is is_taken
    raw = bomb(width, height)
    assert len(raw) < 50_000
    if is_taken:
        assert remade(raw, "image/png").width == SIDE_MAX
    else:
        with pytest.raises(PictureUnreadable):
            remade(raw, "image/png")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@given(data=st.data())
def test_damaged_pictures_are_refused_and_nothing_worse(kind: str, data: st.DataObject) -> None:
    raw = bytearray(picture(kind))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(12, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(16, len(raw)))]
    try:
        made = remade(bytes(raw), f"image/{kind.lower()}")
    except PictureUnreadable:
        return
    Image.open(io.BytesIO(made.content)).load()


@pytest.mark.parametrize("raw", [b"", b"GIF89a", b"<svg/>", b"%PDF-1.7", b"RIFF\0\0\0\0WAVEfmt ", b"MZ"])
def test_only_three_types_of_pictures_are_taken(raw: bytes) -> None:
    with pytest.raises(TypeRefused):
        sniff(raw)


@given(st.text(min_size=1, max_size=80))
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    header = disposition(name.encode(errors="replace").decode(), inline=False)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


# Verbs


async def store(db: Database, size: int = 10, *, owner: str = "acc_ann", **more: Any) -> files.StoredFile:
    async with db.begin() as tx:
        return await files.keep(
            tx, b"x" * size, owner_id=owner, purpose="voucher", media_type="image/png", name="a.png",
            expires_at=tx.now + timedelta(hours=24), **more,
        )  # fmt: skip


async def test_a_file_belongs_to_one_thing_even_in_a_race(db: Database) -> None:
    file = await store(db)

    async def attach(subject: str) -> Any:
        return await db.run(files.attach, file.id, owner_id="acc_ann", purpose="voucher", subject_id=subject)

    answers = await asyncio.gather(*(attach(f"pay_{n}") for n in range(8)), return_exceptions=True)
    (won,) = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert [type(answer) for answer in answers].count(FileTaken) == 7
    assert (await attach(won.subject_id)).subject_id == won.subject_id  # again, it stays so


@pytest.mark.parametrize("changed", [{"owner_id": "acc_ben"}, {"purpose": "chat"}])
async def test_only_the_owner_s_file_of_that_purpose_can_be_attached(db: Database, changed: dict[str, str]) -> None:
    file = await store(db)
    wanted = {"owner_id": "acc_ann", "purpose": "voucher", "subject_id": "pay_1"} | changed
    with pytest.raises(NotFound):
        await db.run(files.attach, file.id, **wanted)


async def test_what_is_attached_stays_and_the_rest_is_forgotten(
    db: Database, clock: ManualClock, settings: Settings
) -> None:
    loose, kept = await store(db), await store(db)
    await db.run(files.attach, kept.id, owner_id="acc_ann", purpose="voucher", subject_id="pay_1")
    runner = JobRunner(db, settings, jobs.DEADLINES)
    await db.run(jobs.begin_purging)
    clock.advance(hours=24)
    with pytest.raises(NotFound):
        await db.run(files.read, loose.id)
    await runner.drain()
    async with db.begin() as tx:
        assert [row["id"] for row in await tx.fetch("SELECT id FROM files")] == [kept.id]
        await files.release(tx, kept.id, subject_id="pay_2")  # not its own
        assert (await files.read(tx, kept.id)).expires_at is None
        await files.release(tx, kept.id, subject_id="pay_1")
    clock.advance(hours=24, minutes=10)
    await runner.drain()
    async with db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM files") == 0


async def test_a_day_s_quota_holds_in_a_race(db: Database, clock: ManualClock) -> None:
    asked = [store(db, 30, day_bytes_max=100) for _ in range(8)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers].count(files.FileQuota) == 5
    await store(db, 30, owner="acc_ben", day_bytes_max=100)
    clock.advance(hours=24, minutes=1)
    await store(db, 100, day_bytes_max=100)


# HTTP


@pytest.fixture
async def client(db: Database, settings: Settings) -> AsyncIterator[Client]:
    roomy = replace(settings, file_bytes_max=2_000_000, file_day_bytes_max=60_000)
    async with serve(db, roomy, ROUTES, {"ann": [], "ben": []}) as client:
        yield client


async def send(client: Client, raw: bytes, *, who: str = "ann", purpose: str = "voucher", **headers: str) -> Any:
    return await client.as_(who).send("POST", f"/v1/files?purpose={purpose}", data=io.BytesIO(raw), headers=headers)


async def test_a_picture_sent_is_read_by_its_owner_only(client: Client) -> None:
    status, headers, file = await send(client, picture(), **{"Content-Type": "text/html"})
    assert (status, headers["Location"]) == (201, f"/v1/files/{file['id']}")
    assert (file["media_type"], file["purpose"]) == ("image/jpeg", "voucher")
    status, headers, raw = await client.as_("ann").send("GET", f"/v1/files/{file['id']}")
    assert (status, headers["Content-Type"], len(raw)) == (200, "image/jpeg", file["size"])
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    assert headers["Content-Disposition"].startswith('inline; filename="voucher.jpg"')
    assert (await client.as_("ben").send("GET", f"/v1/files/{file['id']}"))[0] == 404
    assert (await client.send("GET", f"/v1/files/{file['id']}"))[0] == 401


def form(raw: bytes, boundary: str) -> bytes:
    lines = [
        f"--{boundary}", 'Content-Disposition: form-data; name="note"', "", "hello",
        f"--{boundary}", 'Content-Disposition: form-data; name="file"; filename="a.exe"', "Content-Type: text/html", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode() + b"\r\n" + raw + f"\r\n--{boundary}--\r\n".encode()


async def test_a_form_sent_again_with_its_key_is_one_file(client: Client, db: Database) -> None:
    key = {"Idempotency-Key": "upload-key-00000001"}
    answers = []
    for boundary in ("first", "second"):
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        answers.append(await send(client, form(picture("PNG"), boundary), **kind, **key))
    assert [status for status, _, _ in answers] == [201, 201]
    assert answers[0][2] == answers[1][2]
    async with db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM files") == 1
        assert await tx.fetchval("SELECT media_type FROM files") == "image/png"


@pytest.mark.parametrize(
    ("raw", "headers", "status", "code"),
    [
        (b"GIF89a" + b"\0" * 99, {}, 415, "file_type"),
        (b"\xff\xd8\xff" + b"\0" * 99, {}, 422, "picture_unreadable"),
        (bomb(), {}, 422, "picture_unreadable"),
        (b"", {}, 400, "bad_request"),
        (b"\xff" * 2_000_001, {}, 413, "payload_too_large"),
        (b"\xff" * 2_100_000, {}, 413, "payload_too_large"),
        (b"no form", {"Content-Type": "multipart/form-data; boundary=x"}, 400, "bad_request"),
        (b"no form", {"Content-Type": "multipart/form-data"}, 400, "bad_request"),
        (b"--x\r\n" * 40_000, {"Content-Type": "multipart/form-data; boundary=x"}, 400, "bad_request"),
        (b"--x\r\n\r\n\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}, 400, "bad_request"),
    ],
)
async def test_what_is_no_picture_is_refused(
    client: Client, raw: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    found, _, problem = await send(client, raw, **headers)
    assert (found, problem["code"]) == (status, code)


async def test_purposes_are_known_and_quotas_hold(client: Client) -> None:
    assert (await send(client, picture(), purpose="export"))[0] == 400
    noise = io.BytesIO()
    Image.effect_noise((200, 200), 90).convert("RGB").save(noise, "PNG")
    answers = [await send(client, noise.getvalue()) for _ in range(3)]
    assert [status for status, _, _ in answers][-1] == 429
    assert answers[-1][2]["code"] == "file_quota"
