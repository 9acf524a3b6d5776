"""Saved views of tickets: a filter with a name, one's own or shared by a desk.

Tables    desk_views
States    none: a view is kept or dropped, never changed
Calls     storage only
Tells     nothing: a view is read when the list is opened
Promises  nobody and no desk has more than twenty, however many are saved at once: each takes a place of its own
"""

from rest.desk.views.actions import page, remove, save
from rest.desk.views.model import View
from rest.desk.views.routes import ROUTES

__all__ = ["ROUTES", "View", "page", "remove", "save"]
