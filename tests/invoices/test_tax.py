"""Tax out of prices, tax numbers, and every verb of an invoice in every state."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.money.invoices.model import (
    FREE,
    TRANSITIONS,
    VERBS,
    Invoice,
    InvoiceLine,
    InvoiceState,
    Title,
    WrongInvoiceState,
)
from rest.money.invoices.rules import InvoiceRules
from rest.money.invoices.tax import _SIGNS, check_sign, is_tax_no, split_tax, tax_in
from tests.conftest import MONDAY

REAL = ["91350100M000100Y43", "91110000802100433B", "914403001922038216", "91330106673959654P"]
"""The example of GB 32100-2015 and codes that well-known companies publish."""
AMOUNTS = st.integers(0, 10**10)
RATES = st.integers(0, 10_000)


@given(AMOUNTS, RATES)
def test_the_net_is_the_nearest_fen(amount: int, bps: int) -> None:
    tax = tax_in(amount, bps)
    exact = Fraction(amount * 10_000, 10_000 + bps)
    assert 0 <= tax <= amount
    assert abs(amount - tax - exact) <= Fraction(1, 2)


@given(st.lists(AMOUNTS, min_size=1, max_size=50), RATES)
def test_the_tax_of_the_lines_sums_to_that_of_the_whole(amounts: list[int], bps: int) -> None:
    taxes, total = split_tax(amounts, bps), sum(amounts)
    assert sum(taxes) == tax_in(total, bps)
    for amount, tax in zip(amounts, taxes, strict=True):
        assert 0 <= tax <= amount
        if total:
            assert abs(tax - Fraction(tax_in(total, bps) * amount, total)) < 1


@pytest.mark.parametrize(("amount", "bps", "tax"), [(10_600, 600, 600), (100, 600, 6), (1, 600, 0), (113, 1_300, 13)])
def test_some_taxes_as_they_are_on_paper(amount: int, bps: int, tax: int) -> None:
    assert tax_in(amount, bps) == tax


@pytest.mark.parametrize("code", REAL)
def test_codes_of_real_companies_are_right(code: str) -> None:
    assert is_tax_no(code)


@given(st.text(_SIGNS, min_size=17, max_size=17), st.integers(0, 16), st.sampled_from(_SIGNS))
def test_one_wrong_sign_is_always_seen(body: str, at: int, other: str) -> None:
    code = body + check_sign(body)
    assert is_tax_no(code)
    wrong = code[:at] + other + code[at + 1 :]
    assert is_tax_no(wrong) == (wrong == code)


@pytest.mark.parametrize("text", ["", "9" * 15, "9" * 20, "91350100M000100Y4I", REAL[0].lower(), REAL[0] + " "])
def test_what_is_no_code_is_refused(text: str) -> None:
    assert not is_tax_no(text)


def invoice(state: InvoiceState, *amounts: int) -> Invoice:
    lines = tuple(
        InvoiceLine(n=n, subject_id=f"ord_{n}", name="上门服务", amount_fen=0, tax_fen=0)
        for n, _ in enumerate(amounts, 1)
    )
    empty = Invoice(
        id="inv_1", account_id="acc_ann", title=Title(kind="personal", name="Ann"), state=state, tax_bps=600,
        amount_fen=0, tax_fen=0, needs_red=False, number=None, red_number=None, file_id=None, red_file_id=None,
        reason=None, reissue=False, replaces_id=None, version=1, requested_at=MONDAY, changed_at=MONDAY, lines=lines,
    )  # fmt: skip
    return empty.amounting_to({f"ord_{n}": amount for n, amount in enumerate(amounts, 1)})


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", InvoiceState)
def test_every_verb_in_every_state(state: InvoiceState, verb: str) -> None:
    before = invoice(state, 100, 200)
    if (state, verb) not in TRANSITIONS:
        with pytest.raises(WrongInvoiceState):
            before.after(verb, MONDAY)
        return
    after = before.after(verb, MONDAY)
    assert (after.state, after.version) == (TRANSITIONS[state, verb], 2)
    assert bool(after.subjects) is (after.state not in FREE), "the orders of an ended invoice are free"


def test_every_state_is_reached_and_left_as_it_should_be() -> None:
    reached = {to for _, to in TRANSITIONS.items()} | {InvoiceState.REQUESTED}
    assert reached == set(InvoiceState)
    assert {state for state in InvoiceState if not any(at is state for at, _ in TRANSITIONS)} == FREE


@given(st.lists(st.integers(1, 10**8), min_size=1, max_size=8), st.data())
def test_an_invoice_always_is_the_sum_of_its_lines(amounts: list[int], data: st.DataObject) -> None:
    one = invoice(InvoiceState.REQUESTED, *amounts)
    left = {line.subject_id: data.draw(st.integers(0, line.amount_fen)) for line in one.lines}
    smaller = one.amounting_to(left)
    assert smaller.amount_fen == sum(left.values()) == sum(line.amount_fen for line in smaller.lines)
    assert smaller.tax_fen == sum(line.tax_fen for line in smaller.lines) == tax_in(smaller.amount_fen, 600)
    assert smaller.subjects == sorted(subject for subject, amount in left.items() if amount)
    assert replace(smaller.amounting_to(left)) == smaller


def test_rules_are_read_and_checked() -> None:
    env = {"FIELDHUB_INVOICE_TAX_BPS": "300", "FIELDHUB_INVOICE_SELLER_NAME": "某某科技"}
    assert InvoiceRules.from_env(env) == InvoiceRules(tax_bps=300, seller_name="某某科技")
    assert InvoiceRules.from_env({}) == InvoiceRules()
    for raw in ("x", "-1", "10001", "３"):
        with pytest.raises(ValueError, match="TAX_BPS"):
            InvoiceRules.from_env({"FIELDHUB_INVOICE_TAX_BPS": raw})
