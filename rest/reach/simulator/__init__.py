"""Simulator: a server that pretends to be JPush, Alibaba Cloud SMS, WeChat and WeCom, for development and tests.

It checks keys and signatures as they do, remembers what it was given, knows a repeated `cid` and a used nonce, and does
on request (`/control`) what they do wrong: limit, hang, go down, fail after the work is done. What it got is shown on
`/`. It keeps everything in memory, and only whoever is on this machine can reach it.
"""

from rest.reach.simulator.keys import Identity, make_identity, settings_of, simulated
from rest.reach.simulator.server import NoticeSimulator

__all__ = ["Identity", "NoticeSimulator", "make_identity", "settings_of", "simulated"]
