"""What channels say about top-ups."""

from __future__ import annotations

from rest.money import channels
from rest.money.topups import actions
from rest.money.topups.model import PREFIX

SUBSCRIBERS = channels.subscribers(PREFIX, actions.receive_money, actions.refuse)
