"""Chat: support talk and the questions business lines put to people.

A conversation or a case has a subject (kind, id) and knows nothing else of orders, calls or money.
"""
