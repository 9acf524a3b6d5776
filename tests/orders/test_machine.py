"""The transition table as a value: what it refuses and what it allows."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from rest.trade.orders.model import (
    SYSTEM,
    By,
    Machine,
    Role,
    Transition,
    WrongActor,
    WrongState,
    new_no,
    rows,
)

CUSTOMER = By(Role.CUSTOMER, "acc_1")
ONLY_CUSTOMER = frozenset({Role.CUSTOMER})


def machine() -> Machine:
    return Machine(
        line="tea",
        statuses=("brewing", "ready", "drunk"),
        initial="brewing",
        terminal=frozenset({"drunk"}),
        table={
            ("brewing", "finish"): Transition(("ready",), frozenset({Role.SYSTEM})),
            **rows(("brewing", "ready"), "throw_away", Transition(("drunk",), ONLY_CUSTOMER)),
            ("ready", "sip"): Transition(("ready", "drunk"), ONLY_CUSTOMER),
        },
    )


def test_a_single_target_needs_no_naming_and_several_do() -> None:
    assert machine().decide("brewing", "finish", SYSTEM)[1] == "ready"
    assert machine().decide("ready", "sip", CUSTOMER, "drunk")[1] == "drunk"
    with pytest.raises(AssertionError):
        machine().decide("ready", "sip", CUSTOMER)
    with pytest.raises(AssertionError):
        machine().decide("ready", "sip", CUSTOMER, "brewing")


def test_what_is_not_listed_is_refused_and_names_what_is_allowed() -> None:
    with pytest.raises(WrongState) as refused:
        machine().decide("drunk", "sip", CUSTOMER)
    assert refused.value.fields == {"status": "drunk", "verb": "sip", "allowed": ()}
    with pytest.raises(WrongState) as refused:
        machine().decide("ready", "finish", CUSTOMER)
    assert refused.value.fields["allowed"] == ("sip", "throw_away")


def test_a_step_of_somebody_else_is_forbidden() -> None:
    with pytest.raises(WrongActor):
        machine().decide("brewing", "finish", CUSTOMER)


@pytest.mark.parametrize(
    "table",
    [
        {("brewing", "boil"): Transition(("ready",), ONLY_CUSTOMER)},
        {("ready", "boil"): Transition(("brewing",), ONLY_CUSTOMER)},
        {("ready", "boil"): Transition((), ONLY_CUSTOMER)},
        {("ready", "boil"): Transition(("ready",), frozenset())},
    ],
)
def test_a_table_that_names_unknown_statuses_or_nobody_is_refused(
    table: dict[tuple[str, str], Transition],
) -> None:
    with pytest.raises(ValueError, match="tea"):
        Machine(line="tea", statuses=("ready",), initial="ready", terminal=frozenset(), table=table)


def test_an_order_number_carries_the_business_day_and_no_volume() -> None:
    late_in_the_evening_of_utc = datetime(2026, 1, 5, 17, 0, tzinfo=UTC)  # already the 6th in Shanghai
    numbers = {new_no(late_in_the_evening_of_utc) for _ in range(100)}
    assert len(numbers) == 100
    assert all(re.fullmatch(r"260106\d{14}", number) for number in numbers)
