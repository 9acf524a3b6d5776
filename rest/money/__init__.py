"""Money: the double-entry ledger, customers' wallets, attempts to pay.

Arrows inside, downwards only: payments ► wallet ► ledger. Every amount is integer fen; every movement is a
ledger transfer.
"""
