"""The file in a request: the whole body, or the first file of a multipart form."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, StreamReader, hdrs, web
from aiohttp.base_protocol import BaseProtocol

from rest.edge.errors import BadRequest

PARTS_MAX = 8
"""Mini-programs add a few fields to the form; more is not a form of ours."""
FORM_BYTES = 16_384
"""What boundaries and small fields may add to the file."""

_MULTIPART = "multipart/form-data"


async def file_in(request: web.Request, body: bytes) -> bytes:
    """The bytes of the file. Raises BadRequest when there is none.

    They, and not the body, are what an Idempotency-Key stands for: a form sent again has another boundary.
    """
    found = await _first_file(request, body) if request.content_type == _MULTIPART else body
    if not found:
        raise BadRequest("There is no file in the body.")
    return found


async def _first_file(request: web.Request, body: bytes) -> bytes:
    """The first part with a file name. Raises BadRequest."""
    loop = asyncio.get_running_loop()
    stream = StreamReader(BaseProtocol(loop), len(body) + 1, loop=loop)
    stream.feed_data(body)
    stream.feed_eof()
    try:
        reader = MultipartReader(request.headers, stream)
        for _ in range(PARTS_MAX):
            part: Any = await reader.next()
            if part is None:
                break
            if isinstance(part, BodyPartReader) and part.filename is not None:
                return bytes(await part.read(decode=hdrs.CONTENT_ENCODING in part.headers))
    except (ValueError, RuntimeError, AssertionError) as fault:  # aiohttp's ways to say that it is no form
        raise BadRequest("The form cannot be read.") from fault
    return b""
