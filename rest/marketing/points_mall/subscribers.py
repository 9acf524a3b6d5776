"""What channels say about purchases."""

from __future__ import annotations

from rest.marketing.points_mall import actions
from rest.marketing.points_mall.model import PREFIX
from rest.money import channels

SUBSCRIBERS = channels.subscribers(PREFIX, actions.receive_money, actions.refuse)
