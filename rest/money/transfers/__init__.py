"""Transfers: payments into the platform's bank account, which a person compares with the statement (RV-284, RV-285).

Tables    transfers
States    review → confirmed | rejected
Calls     payments (the payment waits in `review`), files (the picture of the voucher), cashier (whose subject it is)
Tells     money.came and money.refused, as channels do, to whoever owns the subject; transfer.decided to the customer
Deadline  transfers.remind: a review that waits for a day is logged for finance, and again every day
Promises  a transfer is never a part of a mixed payment; sending the picture stops the pay timer; it is confirmed only
          at its exact amount, and once for each number of the bank; money confirmed after its order stopped waiting
          is late like any other; what came by transfer goes back by hand (channels: a refund that waits for finance)
"""

from rest.money.transfers.deadlines import DEADLINES

__all__ = ["DEADLINES"]
