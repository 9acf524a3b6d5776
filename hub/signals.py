"""What hubs tell each other of conversations: somebody writes, or has one open."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

_Word = Annotated[str, Meta(max_length=64)]


class Signal(msgspec.Struct, frozen=True, array_like=True):
    """`event` is typing or viewing; `to`: the audiences that may know."""

    event: Annotated[str, Meta(pattern=r"^(typing|viewing)$")]
    conversation_id: _Word
    account_id: _Word
    role: _Word
    is_on: bool
    to: Annotated[list[Annotated[str, Meta(max_length=80)]], Meta(max_length=1_000)]
