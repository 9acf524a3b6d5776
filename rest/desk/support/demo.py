"""A support desk to try the product with: one queue that takes everything, agents, and a few quick replies."""

from __future__ import annotations

from collections.abc import Mapping

from chat import desk
from chat.desk import Queue, QuickReply, Rule
from storage.tx import Tx

CHATS_MAX = 3

REPLIES: Mapping[str, str] = {
    "hello": "您好,{{customer_name}},我是客服{{agent_name}},请问有什么可以帮您?",
    "wait": "请稍等,我这就为您查询。",
    "order": "订单 {{order_no}} 我已经看到了。",
    "bye": "感谢您的咨询,祝您生活愉快。",
}
"""Shortcut → text."""


async def open_desk(tx: Tx, agents: Mapping[str, str]) -> None:
    """Seat these people (account → name) where there is no queue yet; nothing happens where there is one."""
    if await desk.queues_page(tx, limit=1):
        return
    by_id = next(iter(agents))
    queue = await desk.create_queue(tx, Queue(id="", tenant_id=None, name="在线客服"))
    await desk.publish_rules(tx, [Rule(name="全部", queue_id=queue.id)], by_id=by_id, over=0)
    for account_id, name in agents.items():
        await desk.add_agent(tx, account_id, name=name, chats_max=CHATS_MAX)
        await desk.set_queues(tx, account_id, [queue.id])
    for shortcut, body in REPLIES.items():
        reply = QuickReply(id="", scope="platform", owner_id="", folder="常用", shortcut=shortcut, body=body)
        await desk.add_reply(tx, reply)
