"""Money: the double-entry ledger, customers' wallets, attempts to pay, payment channels.

Arrows inside, downwards only: channels ► payments ► wallet ► ledger. Every amount is integer fen; every movement is a
ledger transfer.
"""
