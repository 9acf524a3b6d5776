"""A robot in a WeCom group (企业微信群机器人): what the support team must see wherever they are.

A robot takes 20 messages a minute and has no number to know a message by: when nobody knows whether it has one, it is
sent again. A team told twice is better than one not told.
Source: developer.work.weixin.qq.com, group robot.
"""

from __future__ import annotations

from rest.money.channels.calls import Calls
from rest.reach.senders.contract import Envelope, NotNow, Refused, Sent, Ticket, Unreachable, call, cut
from storage.base import codec

TEXT_MAX = 600
SLOW_DOWN = 45009
BUSY = -1


class WecomRobot:
    """A sender for one group."""

    def __init__(self, url: str, key: str, calls: Calls) -> None:
        self._url = f"{url.rstrip('/')}/cgi-bin/webhook/send?key={key}"
        self._calls = calls

    async def send(self, envelope: Envelope) -> Sent | Ticket:
        """Raises Refused, NotNow, Unreachable."""
        text = cut(f"{envelope.title}\n{envelope.body}\n{envelope.links.get('subject_id', '')}", TEXT_MAX)
        body = codec.dumps({"msgtype": "text", "text": {"content": text.strip()}})
        headers = {"Content-Type": "application/json"}
        answer, found = await call(self._calls, "POST", self._url, headers=headers, body=body)
        if answer.status != 200 or "errcode" not in found:
            raise Unreachable(f"wecom answered {answer.status}")
        code = int(found["errcode"])
        if code in {SLOW_DOWN, BUSY}:
            raise NotNow(f"wecom {code}", wait_s=60)
        if code != 0:
            raise Refused(f"wecom {code}")
        return Sent("")
