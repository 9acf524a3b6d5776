"""Tax out of prices that include it, and the check digit of tax numbers. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from storage.base.money import BPS, allocate

_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""No I, O, S, V, Z. Source: GB 32100-2015 §5."""
_WEIGHTS = tuple(3**place % 31 for place in range(17))
TAX_NO_LENGTH = 18


def check_sign(body: str) -> str:
    """The eighteenth sign of a unified social credit code. Raises ValueError for signs it cannot have."""
    total = sum(_SIGNS.index(sign) * weight for sign, weight in zip(body, _WEIGHTS, strict=True))
    return _SIGNS[-total % 31]


def is_tax_no(text: str) -> bool:
    """Whether this is a unified social credit code, its check sign right."""
    if len(text) != TAX_NO_LENGTH or any(sign not in _SIGNS for sign in text):
        return False
    return check_sign(text[:-1]) == text[-1]


def tax_in(amount_fen: int, tax_bps: int) -> int:
    """The tax in an amount that includes it: what is left of it after the net, which is rounded half up."""
    whole = BPS + tax_bps
    net = (2 * amount_fen * BPS + whole) // (2 * whole)
    return amount_fen - net


def split_tax(amounts: Sequence[int], tax_bps: int) -> list[int]:
    """The tax of the sum over its amounts, by largest remainder: they sum to it, and each is within a fen."""
    total = sum(amounts)
    return allocate(tax_in(total, tax_bps), amounts) if total else [0] * len(amounts)
