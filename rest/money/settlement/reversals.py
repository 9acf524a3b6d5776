"""Verbs that change a settlement: take back what a refund takes, adjust with a reason. Lock order: see `actions`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rest.edge.values import Money
from rest.money import ledger, wallet
from rest.money.settlement import store
from rest.money.settlement.actions import count_bonus, lock, new_line, rule_of, with_lines
from rest.money.settlement.facts import SettlementChanged
from rest.money.settlement.model import (
    AlreadyReversed,
    Line,
    LineState,
    NotAdjustable,
    Party,
    Settlement,
    nets_when_kept,
)
from rest.money.settlement.split import PLATFORM
from rest.money.wallet.model import AmountRange
from storage.base.errors import NotFound
from storage.base.money import as_money
from storage.tx import Tx


async def reverse(tx: Tx, order_id: str, kept_fen: int, *, reason: str) -> Settlement:
    """The order keeps only this much from now on: every line gives back its part, into the order's escrow (HS-161).

    Many refunds end where one of their sum does, to the fen, the bonus counter included. The same sum again moves
    nothing. The caller gives the escrow's money to whom it belongs, in the same transaction.
    Raises NotFound for an order without a settlement; AmountRange for more than is kept.
    """
    settlement = await _lock_of_order(tx, order_id)
    if not 0 <= kept_fen <= settlement.kept_fen:
        raise AmountRange(maximum=as_money(settlement.kept_fen))
    if kept_fen == settlement.kept_fen:
        return settlement
    nets = nets_when_kept(settlement, kept_fen)
    draft = _Draft(tx, settlement, "refunded", reason, None)
    for line in settlement.live:
        draft.leave(line, nets[line.id])
    if nets.get(""):
        draft.give("platform", Party(PLATFORM, settlement.line), nets[""])
    after = replace(settlement, kept_fen=kept_fen, version=settlement.version + 1)
    returned = [(ledger.escrow(order_id), settlement.kept_fen - kept_fen)]
    return await _commit(tx, draft, after, [*draft.moves, *returned])


async def adjust(tx: Tx, settlement_id: str, line_id: str, amount_fen: int, *, by: str, reason: str) -> Settlement:
    """Finance gives a line another amount: a reversal and a new line, the difference with the platform (HS-164).

    A line is adjusted once; its successor may be adjusted again. Later refunds scale what is there now.
    Raises NotFound, NotAdjustable, AlreadyReversed, AmountRange.
    """
    settlement = await lock(tx, settlement_id)
    line = next((one for one in settlement.lines if one.id == line_id), None)
    if line is None:
        raise NotFound
    if line.party.kind == PLATFORM or line.reverses_id is not None:
        raise NotAdjustable
    if not line.is_live:
        raise AlreadyReversed
    if not 0 <= amount_fen <= settlement.kept_fen or amount_fen == line.net_fen:
        raise AmountRange(maximum=as_money(settlement.kept_fen))
    await _check_cap(tx, settlement, line, amount_fen)
    draft = _Draft(tx, settlement, "adjusted", reason, by)
    draft.replace_with(line, amount_fen)
    platform = next((one for one in settlement.live if one.party.kind == PLATFORM), None)
    if platform is not None:
        draft.replace_with(platform, platform.net_fen + line.net_fen - amount_fen)
    else:
        draft.give("platform", Party(PLATFORM, settlement.line), line.net_fen - amount_fen)
    draft.rebase()
    after = replace(settlement, base_kept_fen=settlement.kept_fen, version=settlement.version + 1)
    return await _commit(tx, draft, after, draft.moves)


async def _check_cap(tx: Tx, settlement: Settlement, line: Line, amount_fen: int) -> None:
    capped = (await rule_of(tx, settlement.line, settlement.split_version)).capped
    if capped is None or capped.kind != line.kind or capped.cap_fen is None:
        return
    channel = await store.lock_channel(tx, settlement.worker_id)
    left = capped.cap_fen - (channel.bonus_fen if channel else 0) + line.net_fen
    if amount_fen > left:
        raise AmountRange(maximum=as_money(max(0, left)))


class _Draft:
    """Changes to a settlement being made: lines to write, lines to save, and what moves where."""

    def __init__(self, tx: Tx, settlement: Settlement, cause: str, reason: str | None, by_id: str | None) -> None:
        self.before = settlement
        self.added: list[Line] = []
        self.changed: dict[str, Line] = {}
        self.bonus: dict[str, int] = {}
        self._moves: dict[str, int] = {}
        self._tx, self._cause, self._reason, self._by_id = tx, cause, reason, by_id

    @property
    def moves(self) -> list[tuple[str, int]]:
        return [(code, amount) for code, amount in self._moves.items() if amount]

    def leave(self, line: Line, net_fen: int) -> None:
        """A reversal that leaves this much of the line."""
        change = net_fen - line.net_fen
        if change == 0:
            return
        left = line.left_with(net_fen)
        self._add(line.kind, line.party, change, reverses=line)
        self.changed[line.id] = left
        self._move(line.party.place(line.state), line.kind, change)

    def replace_with(self, line: Line, amount_fen: int) -> None:
        """A reversal of all of the line, and a new one in its place."""
        self._add(line.kind, line.party, -line.net_fen, reverses=line)
        self.changed[line.id] = replace(line.after("claw_back"), net_fen=0)
        if amount_fen:
            new = self._add(line.kind, line.party, amount_fen)
            self.added[-1] = replace(new, state=line.state)
        self._move(line.party.place(line.state), line.kind, amount_fen - line.net_fen)

    def give(self, kind: str, party: Party, amount_fen: int) -> None:
        """A line for somebody who had none."""
        if amount_fen:
            new = self._add(kind, party, amount_fen)
            self._move(party.place(new.state), kind, amount_fen)

    def rebase(self) -> None:
        """What is there now is what later refunds scale."""
        for line in self.before.live:
            now = self.changed.get(line.id, line)
            self.changed[line.id] = replace(now, base_fen=now.net_fen)

    def _add(self, kind: str, party: Party, amount_fen: int, *, reverses: Line | None = None) -> Line:
        n = len(self.before.lines) + len(self.added) + 1
        line = new_line(self._tx, self.before, n=n, kind=kind, party=party, amount_fen=amount_fen, cause=self._cause)
        line = replace(line, reason=self._reason, by_id=self._by_id)
        if reverses is not None:
            line = replace(line, net_fen=0, base_fen=0, state=LineState.PAID, reverses_id=reverses.id)
        self.added.append(line)
        return line

    def _move(self, code: str, kind: str, amount_fen: int) -> None:
        self._moves[code] = self._moves.get(code, 0) + amount_fen
        self.bonus[kind] = self.bonus.get(kind, 0) + amount_fen


async def _commit(tx: Tx, draft: _Draft, after: Settlement, moves: Sequence[tuple[str, int]]) -> Settlement:
    rule = await rule_of(tx, after.line, after.split_version)
    if rule.capped is not None and draft.bonus.get(rule.capped.kind):
        await store.lock_channel(tx, after.worker_id)
        await count_bonus(tx, rule, after.worker_id, draft.bonus)
    await store.insert_lines(tx, after.id, draft.added)
    await store.save_lines(tx, list(draft.changed.values()))
    await store.save(tx, after)
    if moves:
        await _take(tx, after, draft, moves)
    done = with_lines(after, [*draft.changed.values(), *draft.added])
    _tell_changed(tx, draft.before, done, draft.added[0].cause)
    return done


async def _take(tx: Tx, after: Settlement, draft: _Draft, moves: Sequence[tuple[str, int]]) -> None:
    """Post the change. Workers' wallets may fall below zero by it; what a customer has spent he owes (HS-182)."""
    cause, reason, by_id = draft.added[0].cause, draft.added[0].reason, draft.added[0].by_id
    entries = list(moves)
    while True:
        try:
            await wallet.move(
                tx,
                ref=f"{after.id}:{cause}:{after.version}",
                kind="settlement",
                order_id=after.order_id,
                note=reason,
                by_id=by_id,
                entries=entries,
                overdraw=True,
            )
        except ledger.InsufficientFunds as short:
            if short.account.kind != "customer_wallet":
                raise
            owed = ledger.customer_owed(short.account.owner_id)
            entries = [(owed if code == short.account.code else code, amount) for code, amount in entries]
        else:
            return


def _tell_changed(tx: Tx, before: Settlement, after: Settlement, cause: str) -> None:
    for party in after.parties:
        net = after.net_of(party)
        change = net - before.net_of(party)
        if party.audience is not None and change:
            fact = SettlementChanged(
                settlement_id=after.id,
                order_id=after.order_id,
                cause=cause,
                change=Money(change),
                net=Money(net),
            )
            tx.tell(fact, to=[party.audience])


async def _lock_of_order(tx: Tx, order_id: str) -> Settlement:
    settlement_id = await store.id_of_order(tx, order_id)
    if settlement_id is None:
        raise NotFound
    return await lock(tx, settlement_id)
