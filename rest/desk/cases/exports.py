"""Cases on paper: what was asked of staff, how fast it was answered, and what came of it. Notes stay inside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from chat import cases
from chat.cases import CaseFilter, CaseState
from rest.papers.exports import Kind, Wanted
from rest.papers.exports.lists import by_state, pages
from rest.papers.sheet import Column, Row
from storage.tx import Tx

STAFF = ("ops", "supervisor", "admin")


async def _rows(tx: Tx, wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
    filters = wanted.filters
    which = CaseFilter(
        states=None if filters.state is None else (filters.state,),
        line=filters.line,
        since=filters.since,
        until=filters.until,
    )
    async for found in pages(lambda before, limit: cases.newest_cases(tx, which, before=before, limit=limit)):
        yield [
            (one.opened_at, one.id, one.type, one.line, f"{one.subject_kind}:{one.subject_id}", one.state.value,
             one.priority, one.due_at, one.taken_by, one.taken_at, one.closed_by, one.closed_at, one.outcome)
            for one in found
        ]  # fmt: skip


EXPORTS = (
    Kind(
        name="cases",
        title={"zh": "工单明细", "en": "Cases"},
        roles=STAFF,
        takes=frozenset({"since", "until", "line", "state"}),
        columns=(
            Column("提交时间", "Opened at", "instant", 20),
            Column("工单", "Case", "text", 31),
            Column("类型", "Type", "text", 22),
            Column("业务线", "Line", "text", 13),
            Column("对象", "Subject", "text", 38),
            Column("状态", "State", "text", 10),
            Column("优先级", "Priority", "count", 8),
            Column("应答期限", "Due at", "instant", 20),
            Column("受理人", "Taken by", "text", 31),
            Column("受理时间", "Taken at", "instant", 20),
            Column("处理人", "Closed by", "text", 31),
            Column("处理时间", "Closed at", "instant", 20),
            Column("结果", "Outcome", "text", 18),
        ),
        source=_rows,
        scoping=by_state(CaseState),
    ),
)
