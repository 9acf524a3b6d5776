"""The technician's statement on paper: what each of his orders was and brought (HS-163)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from rest.lines.homeservice import technicians
from rest.money.settlement import Party, Settlement
from rest.money.settlement.exports import settlements
from rest.papers.exports import Filters, Kind, Wanted
from rest.papers.sheet import Column, Row
from storage.tx import Tx


async def _rows(tx: Tx, wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
    async for page in settlements(tx, wanted):
        yield [_row(one) for one in page]


def _row(one: Settlement) -> Row:
    basis = one.basis
    return (
        one.created_at,
        one.order_id,
        basis.item,
        basis.extension,
        basis.travel,
        basis.voucher,
        basis.tip,
        basis.penalty_item + basis.penalty_travel,
        basis.rate_bps,
        one.net_of(Party("worker", one.worker_id)),
        one.state,
        one.matures_at,
    )


async def _own(tx: Tx, account_id: str, _filters: Filters) -> Mapping[str, str]:
    """Raises NotActive for who is no technician."""
    return {"worker_id": await technicians.worker_id_of(tx, account_id)}


def _money(zh: str, en: str) -> Column:
    return Column(zh, en, "money", 11, is_summed=True)


EXPORTS = (
    Kind(
        name="technician_statement",
        title={"zh": "技师结算单", "en": "Technician's statement"},
        roles=("technician",),
        columns=(
            Column("完成时间", "Ended at", "instant", 20),
            Column("订单", "Order", "text", 31),
            _money("项目", "Item"),
            _money("加钟", "Extension"),
            _money("车费", "Travel"),
            _money("代金券", "Voucher"),
            _money("小费", "Tip"),
            _money("违约金", "Penalty"),
            Column("分成比例", "Rate", "rate", 10),
            _money("实得", "Net"),
            Column("状态", "State", "text", 15),
            Column("可用时间", "Available at", "instant", 20),
        ),
        source=_rows,
        scoping=_own,
    ),
)
