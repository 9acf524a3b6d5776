"""Simulator: a server that pretends to be WeChat Pay and Alipay, for development and tests.

It speaks both protocols with keys of its own: checks our signatures, signs its answers, seals and sends notifications.
What real channels do wrong it does on request (`/control`): refuse, hang, fail after the work is done, answer with a
wrong signature, send news twice, late, out of order, broken, with probe signatures. People press buttons on `/`.

It keeps everything in memory: what it has forgotten, a channel has lost.
"""

from rest.money.channels.simulator.keys import (
    FOLDER,
    Identity,
    channel_fields,
    make_identity,
    settings_of,
    simulated,
)
from rest.money.channels.simulator.server import Simulator

__all__ = ["FOLDER", "Identity", "Simulator", "channel_fields", "make_identity", "settings_of", "simulated"]
