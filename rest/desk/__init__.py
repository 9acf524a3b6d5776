"""Desk: the HTTP twin of support (`chat`): conversations, queues and agents, cases and what is decided in them.

Tables    none of its own
Calls     chat, trade.orders
What a decision does is a verb of the business line whose case it is; the line brings it (`cases.CaseSide`).
"""
