"""Money: the double-entry ledger, wallets, attempts to pay, settlements of ended orders, money going out.

Arrows inside, downwards only: payments | settlement | withdrawals ► wallet ► ledger. Every amount is integer
fen; every movement is a ledger transfer.
"""
