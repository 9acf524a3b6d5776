"""Verbs of settlements: share an order out once, and let its parts mature. `reversals` has what comes after.

Lock order: the order (held by the caller, where there is one) → the settlement → the worker's channel → ledger
accounts. A settlement's lines are only touched under its lock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from rest.edge.values import Money
from rest.money import ledger, wallet
from rest.money.settlement import store
from rest.money.settlement.facts import SettlementDone
from rest.money.settlement.model import (
    ChannelBound,
    Line,
    LineState,
    Party,
    SelfReferral,
    Settlement,
    SplitVersionTaken,
)
from rest.money.settlement.split import PLATFORM, Basis, Rule, split
from storage.base.errors import NotFound
from storage.tx import Tx

MATURE = "settlement.mature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An order that has ended: whose, under which version of the line's rule, and its amounts.

    `hold_s` seconds its parts wait before they may be spent (HS-162).
    """

    order_id: str
    line: str
    worker_id: str
    split_version: int
    basis: Basis
    hold_s: int


async def settle(tx: Tx, ended: Ended) -> Settlement:
    """Share the order's escrow out (HS-153): a settlement with its lines, in one transaction with the transfer.

    Once per order: again, it gives the first one and moves nothing (HS-174). Raises SplitMismatch when the escrow does
    not hold what the basis says was kept.
    """
    rule = await rule_of(tx, ended.line, ended.split_version)
    settlement = Settlement(
        id=tx.new_id("stl"),
        order_id=ended.order_id,
        line=ended.line,
        split_version=ended.split_version,
        worker_id=ended.worker_id,
        basis=ended.basis,
        settled_fen=ended.basis.kept,
        kept_fen=ended.basis.kept,
        base_kept_fen=ended.basis.kept,
        version=1,
        created_at=tx.now,
        matures_at=tx.now + timedelta(seconds=ended.hold_s),
        lines=(),
    )
    if not await store.insert(tx, settlement):
        return await of_order(tx, ended.order_id)
    settlement = replace(settlement, lines=await _first_lines(tx, rule, settlement))
    await store.insert_lines(tx, settlement.id, settlement.lines)
    # A voucher above its technician's part is owed by him, like a penalty.
    parts = [(line.party.place(line.state), line.amount_fen) for line in settlement.lines]
    await wallet.settle_order(tx, ended.order_id, parts, overdraw=True)
    if settlement.matures_at > tx.now:
        # Also when no line waits: whoever shares the trade's money out by its channel hears that the order is over.
        payload = {"settlement_id": settlement.id}
        tx.schedule(MATURE, f"settlement:{settlement.id}:mature", settlement.matures_at, payload)
    _tell_done(tx, settlement)
    return settlement


async def rule_of(tx: Tx, line: str, version: int) -> Rule:
    rule = await store.rule(tx, line, version)
    if rule is None:
        raise LookupError(f"{line} has no split rule {version}")
    return rule


async def _first_lines(tx: Tx, rule: Rule, settlement: Settlement) -> tuple[Line, ...]:
    channel = await store.lock_channel(tx, settlement.worker_id) if rule.pays_channels else None
    if channel is not None and not channel.is_open:
        channel = None
    parties = {"worker": Party("worker", settlement.worker_id), PLATFORM: Party(PLATFORM, settlement.line)}
    counted = 0
    if channel is not None:
        parties["channel"], counted = channel.party, channel.bonus_fen
    shares = split(rule, settlement.basis, has_channel=channel is not None, counted_fen=counted)
    lines = [
        new_line(
            tx,
            settlement,
            n=n,
            kind=share.kind,
            party=parties[share.party],
            amount_fen=share.amount_fen,
            cause="settled",
        )
        for n, share in enumerate((share for share in shares if share.amount_fen), start=1)
    ]
    await count_bonus(tx, rule, settlement.worker_id, {line.kind: line.amount_fen for line in lines})
    return tuple(lines)


def new_line(tx: Tx, settlement: Settlement, *, n: int, kind: str, party: Party, amount_fen: int, cause: str) -> Line:
    """A line whose money waits until the settlement matures, if it is somebody's and not a debt."""
    line = Line(
        id=tx.new_id("stn"),
        n=n,
        kind=kind,
        party=party,
        cause=cause,
        amount_fen=amount_fen,
        net_fen=amount_fen,
        base_fen=amount_fen,
        state=LineState.ACCRUED,
        split_version=settlement.split_version,
        reverses_id=None,
        reason=None,
        by_id=None,
        at=tx.now,
    )
    waits = party.kind != PLATFORM and amount_fen > 0 and settlement.matures_at > tx.now
    return line if waits else line.after("mature").after("pay")


async def count_bonus(tx: Tx, rule: Rule, worker_id: str, changes: Mapping[str, int]) -> None:
    """Bring the counter of the capped part along; needs the channel's lock."""
    capped = rule.capped
    if capped is not None and changes.get(capped.kind):
        await store.count_bonus(tx, worker_id, changes[capped.kind])


async def mature(tx: Tx, settlement_id: str, *, resting: Collection[Party] = ()) -> Settlement:
    """The wait is over: what is left of the lines may be spent (HS-162). Again, it moves nothing. Raises NotFound.

    Lines of `resting` parties become payable and stay so until a channel has said what it pays (`pay`).
    """
    settlement = await lock(tx, settlement_id)
    due = [line for line in settlement.lines if line.state is LineState.ACCRUED]
    if not due or tx.now < settlement.matures_at:
        return settlement
    rest = [line.after("mature") for line in due if line.party in resting]
    paid = [line.after("mature").after("pay") for line in due if line.party not in resting]
    entries = [(ledger.pending(line.party.kind, line.party.id), -line.net_fen) for line in paid]
    entries += [(line.party.place(line.state), line.net_fen) for line in paid]
    if paid:
        await wallet.move(
            tx, ref=f"{settlement.id}:matured", kind="settlement", order_id=settlement.order_id, entries=entries
        )
    await store.save_lines(tx, [*rest, *paid])
    return with_lines(settlement, [*rest, *paid])


async def pay(tx: Tx, settlement_id: str, by_channel: Mapping[Party, int], *, channel: str, ref: str) -> Settlement:
    """What rests is paid: `by_channel` says what the channel gave whom, and wallets have the rest.

    A refund may have taken of a line what its channel was paying out: the worker owes that, and his wallet may fall
    below zero. Raises NotFound, RefReused.
    """
    settlement = await lock(tx, settlement_id)
    due = [line for line in settlement.lines if line.state is LineState.PAYABLE]
    paid = [line.after("pay") for line in due]
    moves: dict[str, int] = {ledger.clearing(channel): sum(by_channel.values())}
    entries = [(line.party.place(line.state), -line.net_fen) for line in due]
    entries += [(line.party.place(line.state), line.net_fen) for line in paid]
    entries += [(party.place(LineState.PAID), -fen) for party, fen in by_channel.items()]
    for code, fen in entries:
        moves[code] = moves.get(code, 0) + fen
    if any(moves.values()):
        await wallet.move(
            tx,
            ref=ref,
            kind="split_done" if by_channel else "settlement",
            order_id=settlement.order_id,
            entries=[(code, fen) for code, fen in moves.items() if fen],
            overdraw=True,
        )
    await store.save_lines(tx, paid)
    return with_lines(settlement, paid)


def with_lines(settlement: Settlement, lines: Sequence[Line]) -> Settlement:
    """The settlement with these lines in it, new ones at their place."""
    known = {line.id: line for line in (*settlement.lines, *lines)}
    return replace(settlement, lines=tuple(sorted(known.values(), key=lambda line: line.n)))


def _tell_done(tx: Tx, settlement: Settlement) -> None:
    for party in settlement.parties:
        if party.audience is not None:
            fact = SettlementDone(
                settlement_id=settlement.id,
                order_id=settlement.order_id,
                net=Money(settlement.net_of(party)),
                available_at=settlement.matures_at,
            )
            tx.tell(fact, to=[party.audience])


async def of_order(tx: Tx, order_id: str) -> Settlement:
    """Raises NotFound."""
    found = await store.of_order(tx, order_id)
    if found is None:
        raise NotFound
    return found


async def lock(tx: Tx, settlement_id: str) -> Settlement:
    """Whoever changes a settlement waits here for the others. Raises NotFound."""
    found = await store.lock(tx, settlement_id)
    if found is None:
        raise NotFound
    return found


# Rules and channels


async def publish(tx: Tx, rule: Rule, *, note: str, by: str) -> None:
    """A new version of a line's rule; orders name the version they are settled by. Raises SplitVersionTaken."""
    if not await store.insert_rule(tx, rule, note=note, by_id=by):
        raise SplitVersionTaken


async def bind_channel(tx: Tx, worker_id: str, party: Party) -> None:
    """This party brought the worker and earns by his orders from now on (HS-166). Raises SelfReferral, ChannelBound."""
    if party == Party("worker", worker_id):
        raise SelfReferral
    if not await store.insert_channel(tx, worker_id, party):
        raise ChannelBound


async def close_channels(tx: Tx, party: Party) -> int:
    """The party earns nothing more; what it has stays (HS-173). How many workers it had brought."""
    return await store.close_channels(tx, party)
