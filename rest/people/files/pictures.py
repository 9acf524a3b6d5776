"""Pictures from outside: decoded and written anew, in a thread.

What comes out was written by our own encoder from pixels alone: no EXIF (which has the place and the device), no
comments, no profile, nothing hidden behind the end. The size is read from the head of the file, before any pixel is.
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from rest.people.files.model import PICTURES, PIXELS_MAX, SIDE_MAX, PictureUnreadable, sniff

AT_ONCE = 2
"""Pictures decoded at the same time in one process; the rest wait without memory of their own."""
_OPTIONS = {"JPEG": {"quality": 85, "progressive": True}, "PNG": {}, "WEBP": {"quality": 85, "method": 3}}

_turns = asyncio.Semaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is stored."""

    media_type: str
    content: bytes
    width: int
    height: int


async def taken_in(content: bytes) -> Picture:
    """The picture in these bytes, made ours. Raises TypeRefused, PictureUnreadable."""
    media_type = sniff(content)
    async with _turns:
        return await asyncio.to_thread(remade, content, media_type)


def remade(content: bytes, media_type: str) -> Picture:
    """Decode, turn upright, shrink, write. Takes up to a second: for threads. Raises PictureUnreadable."""
    kind = PICTURES[media_type]
    try:
        with Image.open(io.BytesIO(content), formats=[kind]) as opened:
            if opened.width * opened.height > PIXELS_MAX:
                raise PictureUnreadable(pixels_max=PIXELS_MAX)
            opened.draft("RGB", (SIDE_MAX, SIDE_MAX))  # a JPEG is shrunk while it is decoded
            picture = _upright(opened)
    except PictureUnreadable:
        raise
    except Exception as fault:  # decoders raise whatever they stumble over
        raise PictureUnreadable from fault
    out = io.BytesIO()
    picture.save(out, kind, **_OPTIONS[kind])
    return Picture(media_type, out.getvalue(), picture.width, picture.height)


def _upright(opened: Image.Image) -> Image.Image:
    has_alpha = opened.format != "JPEG" and opened.has_transparency_data
    picture = opened if opened.mode in {"RGB", "RGBA"} else opened.convert("RGBA" if has_alpha else "RGB")
    picture.thumbnail((SIDE_MAX, SIDE_MAX))  # first: all that follows copies it
    picture = ImageOps.exif_transpose(picture).convert("RGBA" if has_alpha else "RGB")
    picture.info.clear()
    return picture
