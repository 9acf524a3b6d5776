"""What may be sent, and what bytes say about themselves. Pure."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from urllib.parse import quote

from storage.base.errors import HubError, Invalid


class Purpose(StrEnum):
    """What people send pictures for, and in a chat documents. Files made by ourselves have purposes of their own."""

    VOUCHER = "voucher"
    CHAT = "chat"
    EVIDENCE = "evidence"
    FEEDBACK = "feedback"


UPLOADS = frozenset(Purpose)

UNATTACHED_KEPT = timedelta(hours=24)
"""From sending a picture to the form it belongs to; longer is a form that was given up."""

PIXELS_MAX = 50_000_000
"""What the cameras of phones make; decoded it is 150 MB, and no more than two are decoded at once."""
SIDE_MAX = 2_560
"""Pixels of the longest side as stored: a receipt is still readable."""


class TypeRefused(HubError):
    """Only JPEG, PNG and WebP pictures are taken; in a chat PDF documents too."""

    code = "file_type"
    status = 415


class PictureUnreadable(Invalid):
    """This picture cannot be decoded, or is larger than pictures are."""

    code = "picture_unreadable"


PICTURES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
"""Media type → the decoder that is allowed to see it."""


DOCUMENT = "application/pdf"
"""Taken as it is, for nobody but people ever opens it here: given out as a download, never shown by a page of ours."""


def is_document(content: bytes) -> bool:
    """Whether the bytes begin as a PDF does. Source: WHATWG MIME Sniffing §7.1."""
    return content.startswith(b"%PDF-")


def sniff(content: bytes) -> str:
    """The media type by the first bytes. Raises TypeRefused. Source: WHATWG MIME Sniffing §6.1."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:14] == b"WEBPVP":
        return "image/webp"
    raise TypeRefused


_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


def disposition(name: str, *, inline: bool) -> str:
    """Content-Disposition with a name of any script (RFC 6266), safe in a header whatever the name holds."""
    plain = _NOT_PLAIN.sub("_", name).strip("._") or "file"
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
