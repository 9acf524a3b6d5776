"""Sixteen clients at once against a judge, and mistakes that the judge must see.

A check that never found anything proves nothing: each sabotage is a small change of the database's own functions, and
names what must be noticed.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.money.racing import race, redefine


@pytest.mark.parametrize("seed", range(4))
async def test_sixteen_clients_leave_a_right_book(book_url: str, seed: int) -> None:
    assert await race(book_url, seed) == []


@dataclass(frozen=True)
class Sabotage:
    """A mistake in a function of the ledger, without the constraints that would stop it, and what gives it away."""

    function: str
    changes: dict[str, str]
    noticed: tuple[str, ...]
    also: str = ""


NO_CHECKS = "ALTER TABLE ledger_accounts DROP CONSTRAINT ledger_accounts_check1"
NO_KEYS = "DROP INDEX ledger_entries_place; CREATE INDEX ledger_entries_place ON ledger_entries (account_id, place)"

SABOTAGES = {
    "no lock, and a key that stops it": Sabotage(
        "ledger_post", {"FOR NO KEY UPDATE": ""}, ("UniqueViolationError",)
    ),
    "no lock and no key": Sabotage(
        "ledger_post", {"FOR NO KEY UPDATE": ""}, ("entries sum to", "in place", "after it"), also=NO_KEYS
    ),
    "locks in the order of the call": Sabotage(
        "ledger_post", {'ORDER BY id COLLATE "C"': "ORDER BY array_position(v_ids, id)"}, ("DeadlockDetectedError",),
    ),
    "no floor, and a constraint that stops it": Sabotage(
        "ledger_post", {"v_short := coalesce(v_short, i)": "NULL"}, ("CheckViolationError",)
    ),
    "no floor and no constraint": Sabotage(
        "ledger_post", {"v_short := coalesce(v_short, i)": "NULL"}, ("below its floor", "below the floor"),
        also=NO_CHECKS,
    ),
    "anybody may overdraw": Sabotage(
        "ledger_post", {"NOT (p_overdraw AND v_lenient[i])": "NOT p_overdraw"}, ("below the floor",), also=NO_CHECKS
    ),
    "a lopsided entry": Sabotage(
        "ledger_post", {"SELECT p_id, n, id, amount, balance": "SELECT p_id, n, id, amount + (n = 1)::int, balance"},
        ("CNY", "all balances together"),
    ),
    "an entry is lost": Sabotage(
        "ledger_post", {"balance, version, n);": "balance, version, n) WHERE n > 1;"},
        ("entries", "sums to"),
    ),
    "a version is skipped": Sabotage(
        "ledger_post", {"v_versions[i] := v_versions[i] + 1": "v_versions[i] := v_versions[i] + 2"},
        ("in place", "version"),
    ),
    "a running balance that is off": Sabotage(
        "ledger_post", {"SELECT p_id, n, id, amount, balance": "SELECT p_id, n, id, amount, balance + 1"}, ("after it",)
    ),
    "the account is not told": Sabotage(
        "ledger_post", {"SET balance_fen = v_balances[array_position(v_ids, id)], version": "SET version"},
        ("entries sum to",),
    ),
    "a reference means nothing": Sabotage(
        "ledger_post",
        {"SELECT * INTO v_first FROM ledger_transfers WHERE ref = p_ref": "v_first := NULL",
         "IF NOT FOUND THEN\n        IF v_short": "IF true THEN\n        IF v_short",
         "ON CONFLICT (ref) DO NOTHING": ""},
        ("posted twice",),
        also="ALTER TABLE ledger_transfers DROP CONSTRAINT ledger_transfers_ref_key",
    ),
    "any use of a reference is a repeat": Sabotage(
        "ledger_post", {"ELSE 'ref_reused' END": "ELSE 'repeated' END"}, ("was repeated and never posted",)
    ),
    "entries of another instant": Sabotage(
        "ledger_post", {"nextval('ledger_places')), p_at": "nextval('ledger_places')), now()"},
        ("the transfer of", "the replay says"),
    ),
    "open transactions are covered": Sabotage(
        "ledger_roll_up", {"p_xid <= pg_snapshot_xmin(pg_current_snapshot())": "p_xid IS NOT NULL"},
        ("entries sum to", "entries summed to"),
    ),
    "a checkpoint forgets the one before": Sabotage(
        "ledger_checkpoint", {"coalesce(v_last.balance_fen, 0) + sum(amount_fen)": "sum(amount_fen)"},
        ("entries sum to", "entries summed to"),
    ),
    "a checkpoint says a wrong first instant": Sabotage(
        "ledger_checkpoint", {"min(at), max(at)": "max(at), max(at)"}, ("entries are of", "the replay says")
    ),
    "a checkpoint says a wrong last instant": Sabotage(
        "ledger_checkpoint", {"max(at)": "min(at)"}, ("entries are of", "the replay says")
    ),
    "a checkpoint says a wrong sum of its own": Sabotage(
        "ledger_checkpoint", {"       sum(amount_fen), coalesce": "       sum(amount_fen) + 1, coalesce"},
        ("says its own sum to", "the replay says"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("sabotage", SABOTAGES.values(), ids=SABOTAGES.keys())
async def test_the_judge_notices(book_url: str, sabotage: Sabotage) -> None:
    await redefine(book_url, sabotage.function, sabotage.changes, sabotage.also)
    problems = await race(book_url, 0)
    for word in sabotage.noticed:
        assert any(word in problem for problem in problems), problems[:20]
