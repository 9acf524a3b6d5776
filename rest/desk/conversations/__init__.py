"""Conversations over HTTP and sockets: the twin of `chat.conversations` for phones and the desk (HS-193, HS-198).

Tables    none of its own
Calls     chat.conversations; rest.trade.orders and dispatch, to learn whose an order is and who works on it
Promises  a customer opens a conversation about an order of his own or about none; in `/customer` and `/worker`
          everybody speaks for himself, in `/desk` for support; limits are the same on both ways in

Support, supervisors and administrators are the platform's desk, a tenant's staff is its own. `readers` is the only
place that says for whom an account works.
"""
