"""Cashier: where customers pay for anything and see what they have paid, and finance sees what went wrong.

Tables    none of its own: payments and what channels told
Calls     channels, payments, passwords; the lines through `Payable`, which they register when the application is built
Promises  the cashier knows no line; only the customer himself pays for his order (FR-075); money of his own accounts is
          spent with his password where he has set one; what finance does with stray money is done once, with a reason
"""

from rest.money.cashier.payables import PAYABLES, Due, Payable, Payables

__all__ = ["PAYABLES", "Due", "Payable", "Payables"]
