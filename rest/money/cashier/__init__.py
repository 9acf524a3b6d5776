"""Cashier: where customers pay for anything, see what they have paid, and finance sees what went wrong.

Tables    transfers (bank transfers that a person compares with the statement)
States    transfer: review → confirmed | rejected
Calls     channels, payments, passwords; the lines through `Payable`, which they register when the application is built
Tells     money.came and money.refused of bank transfers, to whoever owns the subject; transfer.decided to the customer
Promises  the cashier knows no line; a transfer is confirmed only at its exact amount and only once for each number of
          the bank (RV-285); money confirmed after its order stopped waiting is late, like a channel's, and goes back
"""

from rest.money.cashier.payables import PAYABLES, Due, Payable, Payables

__all__ = ["PAYABLES", "Due", "Payable", "Payables"]
