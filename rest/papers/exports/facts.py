"""What exports tell."""

from __future__ import annotations

from typing import ClassVar

from storage.base.facts import Fact


class ExportEnded(Fact, frozen=True, kw_only=True):
    """The file is there, or will not come (`problem` is its code); told to who asked."""

    topic: ClassVar[str] = "export.ended"
    export_id: str
    kind: str
    state: str
    file_id: str | None
    problem: str | None
