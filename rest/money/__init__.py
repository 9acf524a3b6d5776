"""Money: the ledger, wallets, attempts to pay, payment channels, settlements of ended orders, money going out.

Arrows inside, downwards only: transfers ► cashier ► channels ► payments; payments | settlement | withdrawals ►
wallet ► ledger; cashier | withdrawals ► signing ► passwords; channels ► workdays. Every amount is integer fen; every
movement is a ledger transfer.
"""
