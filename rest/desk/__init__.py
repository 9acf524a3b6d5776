"""Desk: the HTTP twin of support (`chat`): reading what is asked of people.

Tables    none of its own
Calls     chat.cases
Deciding a case is a verb of the line that opened it, at that line's own routes.
"""
