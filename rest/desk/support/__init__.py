"""The support desk over HTTP: customers ask, agents serve, staff set it up.

Tables    none of its own
Calls     chat.desk, chat.calendars, chat.conversations; rest.people for accounts
Who answers is an agent of the desk (`desk_agents`), whatever his roles; what is not his is not found. What staff set up
is audited by the edge.
"""

from rest.desk.support.agent_routes import ROUTES as AGENT_ROUTES
from rest.desk.support.customer_routes import ROUTES as CUSTOMER_ROUTES
from rest.desk.support.setup_routes import ROUTES as SETUP_ROUTES

ROUTES = [*CUSTOMER_ROUTES, *AGENT_ROUTES, *SETUP_ROUTES]

__all__ = ["ROUTES"]
