"""What posting does, as tables: one line is one transfer and its answer, or balances to be found.

name ref kind: moves -> posted | repeated | ref_reused | short:who     (a trailing ! asks for overdraw)
= who amount who amount …
"""

from __future__ import annotations

import pytest

from rest.money import ledger
from storage.postgres import Database
from storage.tx import Tx
from tests.money.book import NAMES, moves

TABLES = {
    "value moves and nothing appears or is lost": """
        t1 topup: top-1000 ann+1000 -> posted
        t2 pay: ann-430 o1+430 -> posted
        t3 settle: o1-430 wu+270 rev+160 -> posted
        = ann 570 o1 0 wu 270 rev 160 top -1000
    """,
    "a floor holds to the last fen": """
        t1 topup: top-100 ann+100 -> posted
        t2 pay: ann-101 o1+101 -> short:ann
        = ann 100 o1 0
        t3 pay: ann-100 o1+100 -> posted
        t4 pay: ann-1 o2+1 -> short:ann
        = ann 0 o1 100 o2 0
    """,
    "an account never used is empty, not unlimited": """
        t1 pay: ben-1 o1+1 -> short:ben
        = ben 0 o1 0
    """,
    "escrow gives back no more than it holds": """
        t1 topup: top-50 ann+50 -> posted
        t2 pay: ann-50 o1+50 -> posted
        t3 refund: o1-30 ann+30 -> posted
        t4 refund: o1-21 ann+21 -> short:o1
        t5 refund: o1-20 ann+20 -> posted
        = o1 0 ann 50
    """,
    "the same reference moves value once": """
        t1 topup: top-100 ann+100 -> posted
        t1 topup: top-100 ann+100 -> repeated
        t1 topup: ann+100 top-100 -> repeated
        t1 topup: ann+60 top-100 ann+40 -> repeated
        = ann 100 top -100
    """,
    "a reference used for something else is a conflict": """
        t1 topup: top-100 ann+100 -> posted
        t1 topup: top-101 ann+101 -> ref_reused
        t1 gift: top-100 ann+100 -> ref_reused
        t1 topup: top-100 ben+100 -> ref_reused
        t1 topup: top-100 ann+60 ben+40 -> ref_reused
        t1 topup: wx-100 rev+100 -> ref_reused
        = ann 100 ben 0 top -100 wx 0
    """,
    "a part of a transfer is not that transfer": """
        t1 topup: top-100 ann+100 pool-10 pts+10 -> posted
        t1 topup: top-100 ann+100 -> ref_reused
        t1 topup: top-100 ann+100 pool-10 pts+10 -> repeated
        = ann 100 pts 10
    """,
    "a repeat is answered even when the money is gone": """
        t1 topup: top-100 ann+100 -> posted
        t2 pay: ann-100 o1+100 -> posted
        t2 pay: ann-100 o1+100 -> repeated
        = ann 0 o1 100
    """,
    "a refused reference is free to be used": """
        t1 pay: ann-10 o1+10 -> short:ann
        t2 topup: top-10 ann+10 -> posted
        t1 pay: ann-10 o1+10 -> posted
        = ann 0 o1 10
    """,
    "platform and channel accounts have no floor": """
        t1 fee: rev-70 wx+70 -> posted
        t2 topup: wx-500 ann+500 -> posted
        = rev -70 wx -430 ann 500
    """,
    "only a worker's wallet may be overdrawn, and only by a transfer that says so": """
        t1 penalty: wu-200 rev+200 -> short:wu
        t2 penalty!: wu-200 rev+200 -> posted
        t3 penalty!: ann-1 rev+1 -> short:ann
        t4 withdraw: wu-1 wx+1 -> short:wu
        = wu -200 ann 0 rev 200
    """,
    "income brings an overdrawn wallet back, even if not all the way": """
        t1 penalty!: wu-200 rev+200 -> posted
        t2 income: rev-50 wu+50 -> posted
        = wu -150
    """,
    "points and money move together, each balanced": """
        t1 topup: top-100 ann+100 pool-10 pts+10 -> posted
        t2 spend: pts-11 pool+11 -> short:pts
        t3 spend: pts-10 pool+10 -> posted
        = pts 0 pool 0 ann 100
    """,
    "of two short accounts the first one given is named": """
        t1 pay: ben-5 ann-5 o1+10 -> short:ben
    """,
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
async def test_table(db: Database, table: str) -> None:
    for line in filter(None, map(str.strip, table.splitlines())):
        async with db.begin() as tx:
            await _check(tx, line)
            assert await ledger.verify(tx) == []


async def _check(tx: Tx, line: str) -> None:
    if line.startswith("="):
        words = line.split()[1:]
        for name, amount in zip(words[::2], words[1::2], strict=True):
            assert await ledger.balance(tx, NAMES[name]) == int(amount), line
        return
    head, _, rest = line.partition(":")
    text, _, expected = rest.partition("->")
    ref, kind = head.split()
    assert await attempt(tx, ref, kind.rstrip("!"), text, overdraw=kind.endswith("!")) == expected.strip(), line


async def attempt(tx: Tx, ref: str, kind: str, text: str, *, overdraw: bool = False) -> str:
    """The outcome in one word."""
    try:
        transfer = await ledger.post(tx, ref=ref, kind=kind, entries=moves(text), overdraw=overdraw)
    except ledger.InsufficientFunds as refusal:
        return "short:" + {code: name for name, code in NAMES.items()}[refusal.account.code]
    except ledger.RefReused:
        return "ref_reused"
    return "repeated" if transfer.repeated else "posted"
