"""The support desk over HTTP and sockets: customers ask, agents serve, staff set it up.

Tables    none of its own
Calls     chat.desk, chat.calendars, chat.conversations; rest.people for accounts
Promises  a tenant's staff sees and does what is its own desk's, and finds nothing else; the same verbs, errors and
          audit on both ways in (`acts`)
Who answers is an agent of the desk (`desk_agents`), whatever his roles; what is not his is not found. What staff set up
is audited by the edge. Lines show what a conversation is about by cards of their own (`subjects`).
"""

from rest.desk.support.agent_routes import ROUTES as AGENT_ROUTES
from rest.desk.support.bulk_routes import ROUTES as BULK_ROUTES
from rest.desk.support.context_routes import ROUTES as CONTEXT_ROUTES
from rest.desk.support.customer_routes import ROUTES as CUSTOMER_ROUTES
from rest.desk.support.floor_routes import ROUTES as FLOOR_ROUTES
from rest.desk.support.setup_routes import ROUTES as SETUP_ROUTES

ROUTES = [*CUSTOMER_ROUTES, *BULK_ROUTES, *AGENT_ROUTES, *CONTEXT_ROUTES, *FLOOR_ROUTES, *SETUP_ROUTES]

__all__ = ["ROUTES"]
