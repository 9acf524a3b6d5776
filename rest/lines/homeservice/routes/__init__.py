"""The line's routes, by who calls them."""

from rest.lines.homeservice.routes.breaks import ROUTES as BREAKS
from rest.lines.homeservice.routes.customer import ROUTES as CUSTOMER
from rest.lines.homeservice.routes.earnings import ROUTES as EARNINGS
from rest.lines.homeservice.routes.payment import ROUTES as PAYMENT
from rest.lines.homeservice.routes.prices import ROUTES as PRICES
from rest.lines.homeservice.routes.refunds import LINES as REFUNDED
from rest.lines.homeservice.routes.refunds import ROUTES as REFUNDS
from rest.lines.homeservice.routes.staff import ROUTES as STAFF
from rest.lines.homeservice.routes.technician import ROUTES as TECHNICIAN
from rest.lines.homeservice.routes.vouchers import ROUTES as VOUCHERS

ROUTES = [*CUSTOMER, *PAYMENT, *PRICES, *TECHNICIAN, *VOUCHERS, *EARNINGS, *STAFF, *BREAKS, *REFUNDS]

__all__ = ["REFUNDED", "ROUTES"]
