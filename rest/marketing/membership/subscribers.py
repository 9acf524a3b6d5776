"""What channels say about purchases of levels."""

from __future__ import annotations

from rest.marketing.membership import actions
from rest.marketing.membership.model import PREFIX
from rest.money import channels

SUBSCRIBERS = channels.subscribers(PREFIX, actions.receive_money, actions.refuse)
