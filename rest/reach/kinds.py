"""Which facts are told to whom, how urgently and over which ways: one row for each kind of notice. Pure.

A rule reads a fact as it went out: `topic`, `to` whom of its audience, `when` it is worth telling, what of it the words
need (`about`), and what it leads to. Who is in the audience of the fact is decided by the domain that told it; here
only a part of them is picked. Words are in `words`; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rest.reach.model import Channel, Urgency
from storage.base.clock import wall_time
from storage.base.money import yuan

Body = Mapping[str, Any]
"""The fields of a fact, as JSON has them."""

CUSTOMER = frozenset({"customer"})
WORKER = frozenset({"worker"})
BOTH = CUSTOMER | WORKER
AGENT = frozenset({"agent"})
STAFF = frozenset({"desk", "support"})
"""Audiences of a whole desk: told to its agents on duty."""
MEMBERS = frozenset({"member"})
"""Of what a queue keeps to its members, each of them: told to those on duty."""

PHONE = (Channel.PUSH, Channel.WECHAT)
LOUD = (*PHONE, Channel.SMS)
DESK = (Channel.PUSH,)
ROOM = (Channel.PUSH, Channel.WECOM)
QUIETLY: tuple[Channel, ...] = ()
"""In the inbox alone."""


def nothing(_fact: Body) -> dict[str, Any]:
    return {}


def always(_fact: Body) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A kind of notice. `subject`: its kind, and the field with its id; `until`: the field after which it is over.

    `collapse`: the field whose value makes a newer notice take the place of an unread older one, and the word for it.
    `rings`: `notice.new` tells it and the bell counts it; not what comes by the hundred and an event of its own says.
    """

    kind: str
    topic: str
    to: frozenset[str]
    when: Callable[[Body], bool] = always
    urgency: Urgency = Urgency.NORMAL
    channels: tuple[Channel, ...] = PHONE
    about: Callable[[Body], dict[str, Any]] = nothing
    subject: tuple[str, str] | None = ("order", "order_id")
    collapse: tuple[str, str] | None = None
    until: str | None = None
    rings: bool = True

    def collapse_key(self, fact: Body) -> str | None:
        return None if self.collapse is None else f"{self.collapse[0]}:{fact[self.collapse[1]]}"

    def ends_at(self, fact: Body) -> datetime | None:
        return None if self.until is None or fact[self.until] is None else datetime.fromisoformat(fact[self.until])


def amount(name: str = "amount") -> Callable[[Body], dict[str, Any]]:
    """The money of this field."""
    return lambda fact: {"amount": yuan(fact[name]["amount"])}


def at(**fields: str) -> Callable[[Body], dict[str, Any]]:
    """Instants of the fact as a clock on the wall shows them."""
    return lambda fact: {name: wall_time(datetime.fromisoformat(fact[source]))[:16] for name, source in fields.items()}


def both(*parts: Callable[[Body], dict[str, Any]]) -> Callable[[Body], dict[str, Any]]:
    return lambda fact: {name: value for part in parts for name, value in part(fact).items()}


def named(**fields: str) -> Callable[[Body], dict[str, Any]]:
    """Fields of the fact as they are: a text, or one by language."""
    return lambda fact: {name: fact[source] or "" for name, source in fields.items()}


def stated(*states: str) -> Callable[[Body], bool]:
    return lambda fact: fact["state"] in states


def did(*verbs: str, but: str = "") -> Callable[[Body], bool]:
    """One of these verbs, unless this role did it itself."""
    return lambda fact: fact["verb"] in verbs and fact["who"] != but


def order(kind: str, to: frozenset[str], when: Callable[[Body], bool], **more: Any) -> Rule:  # noqa: ANN401 - fields
    return Rule(kind=f"order.{kind}", topic="order.changed", to=to, when=when, **more)


def case(kind: str, when: Callable[[Body], bool], topic: str = "case.opened", **more: Any) -> Rule:  # noqa: ANN401
    return Rule(
        kind=f"case.{kind}", topic=topic, to=STAFF, when=when, about=named(title="title"), collapse=("case", "case_id"),
        subject=("case", "case_id"), channels=more.pop("channels", ROOM), **more,
    )  # fmt: skip


TOLD_AT_ONCE = frozenset({"safety", "payment_failed"})

RULES: tuple[Rule, ...] = (
    # Work for technicians (HS-059, HS-073, HS-201, HS-202)
    Rule(
        kind="offer.made", topic="offer.made", to=WORKER, urgency=Urgency.URGENT, channels=(Channel.PUSH,),
        about=both(at(start="start_at"), lambda fact: {"km": f"{fact['distance_m'] / 1000:.1f}"}),
        subject=("offer", "offer_id"), collapse=("offer", "offer_id"), until="expires_at", rings=False,
    ),
    Rule(
        kind="order.offered", topic="order.offered", to=WORKER, urgency=Urgency.URGENT, channels=LOUD,
        about=both(named(item="item_name"), at(start="start_at", until="answer_due_at"), amount("payable")),
    ),
    Rule(
        kind="grab.added", topic="grab.added", to=CUSTOMER, subject=("order", "subject_id"),
        collapse=("grabs", "subject_id"),
    ),
    Rule(
        kind="grab.locked", topic="grab.locked", to=WORKER, urgency=Urgency.URGENT, about=at(until="locked_until"),
        subject=("order", "subject_id"), collapse=("lock", "grab_id"), until="locked_until",
    ),
    Rule(kind="grab.won", topic="grab.closed", to=WORKER, when=stated("won"), subject=("order", "subject_id")),
    Rule(
        kind="grab.lost", topic="grab.closed", to=WORKER, when=stated("lost", "unbound", "void"), channels=QUIETLY,
        subject=("order", "subject_id"),
    ),
    # The course of an order (HS-113, HS-203)
    order("accepted", CUSTOMER, did("accept", "agree")),
    order("departed", CUSTOMER, did("depart"), urgency=Urgency.URGENT, channels=LOUD),
    order("arrived", CUSTOMER, did("arrive"), urgency=Urgency.URGENT),
    order("started", CUSTOMER, did("start"), channels=QUIETLY),
    order("time_up", BOTH, did("time_up")),
    order("ended", WORKER, did("end")),
    order("left_confirmed", WORKER, did("confirm_left")),
    order("completed", CUSTOMER, did("leave")),
    order("choose_now", CUSTOMER, did("ask_choice")),
    order("unbound", CUSTOMER, did("unbind"), collapse=("unbound", "order_id")),
    order("cancel_asked", WORKER, did("ask_cancel", "ask_end")),
    order("goes_on", BOTH, did("save", "go_on", "resume_trip")),
    order("technician_changed", BOTH, did("change_technician"), urgency=Urgency.URGENT, channels=LOUD),
    order("called_off", BOTH, did("drop", "insist", "terminate", "leave_unmet", "excuse"), urgency=Urgency.URGENT),
    Rule(
        kind="wait.started", topic="wait.started", to=CUSTOMER, urgency=Urgency.URGENT, channels=LOUD,
        about=at(until="over_at"),
    ),
    Rule(kind="wait.over", topic="wait.over", to=WORKER, urgency=Urgency.URGENT, channels=DESK),
    # Money
    Rule(kind="payment.paid", topic="payment.settled", to=CUSTOMER, when=stated("paid"), about=amount()),
    Rule(kind="payment.failed", topic="payment.settled", to=CUSTOMER, when=stated("failed"), urgency=Urgency.URGENT,
         about=amount()),
    Rule(kind="payment.returned", topic="payment.settled", to=CUSTOMER, when=stated("returned", "refunded"),
         about=amount()),
    Rule(kind="transfer.confirmed", topic="transfer.decided", to=CUSTOMER, when=stated("confirmed"), about=amount()),
    Rule(kind="transfer.rejected", topic="transfer.decided", to=CUSTOMER, when=stated("rejected"), about=amount()),
    Rule(kind="refund.asked", topic="refund.changed", to=WORKER, when=stated("review"), about=amount()),
    Rule(kind="refund.executed", topic="refund.changed", to=BOTH, when=stated("executed"), about=amount()),
    Rule(kind="refund.rejected", topic="refund.changed", to=CUSTOMER, when=stated("rejected"), about=amount()),
    Rule(kind="settlement.done", topic="settlement.done", to=BOTH, about=both(amount("net"), at(since="available_at")),
         channels=QUIETLY),
    Rule(kind="settlement.changed", topic="settlement.changed", to=BOTH, about=amount("change")),
    Rule(kind="wallet.credited", topic="wallet.changed", to=BOTH, when=lambda fact: fact["kind"] == "credit",
         about=amount(), subject=("transfer", "transfer_id")),
    Rule(kind="wallet.device_added", topic="wallet.device_added", to=CUSTOMER, urgency=Urgency.URGENT, channels=LOUD,
         about=both(named(device="device_name"), at(since="added_at")), subject=("wallet_device", "device_id")),
    Rule(kind="withdrawal.confirmed", topic="withdrawal.changed", to=BOTH, when=stated("confirmed"), about=amount(),
         subject=("withdrawal", "withdrawal_id")),
    Rule(kind="withdrawal.refused", topic="withdrawal.changed", to=BOTH, when=stated("rejected", "failed"),
         about=amount(), subject=("withdrawal", "withdrawal_id"), channels=LOUD),
    Rule(kind="penalty.booked", topic="penalty.booked", to=BOTH, about=amount()),
    Rule(kind="penalty.reversed", topic="penalty.reversed", to=BOTH, about=amount()),
    Rule(kind="topup.paid", topic="topup.paid", to=BOTH, about=amount(), subject=("topup", "topup_id"),
         channels=QUIETLY),
    Rule(kind="invoice.issued", topic="invoice.changed", to=CUSTOMER, when=stated("issued"), about=amount(),
         subject=("invoice", "invoice_id")),
    Rule(kind="invoice.rejected", topic="invoice.changed", to=CUSTOMER, when=stated("rejected"), about=amount(),
         subject=("invoice", "invoice_id")),
    # Marketing
    Rule(kind="coupon.given", topic="coupon.issued", to=CUSTOMER, when=lambda fact: fact["source"] == "gift",
         about=both(named(name="name"), at(until="valid_until")), subject=("coupon", "coupon_id")),
    Rule(kind="points.expiring", topic="points.expiring", to=CUSTOMER, subject=None, collapse=("points", "account_id"),
         about=both(named(points="points"), at(until="expires_at"))),
    Rule(kind="purchase.delivered", topic="purchase.changed", to=CUSTOMER, when=stated("delivered"),
         subject=("purchase", "purchase_id")),
    Rule(kind="referral.joined", topic="referral.joined", to=CUSTOMER, about=named(name="name"), subject=None,
         channels=QUIETLY),
    Rule(kind="voucher.used_up", topic="voucher.used_up", to=WORKER, subject=("voucher", "voucher_id")),
    Rule(kind="export.ended", topic="export.ended", to=CUSTOMER, when=stated("done"), subject=("export", "export_id"),
         channels=QUIETLY),
    # Support
    Rule(kind="support.assigned", topic="support.changed", to=BOTH, when=lambda fact: fact["agent_name"] is not None,
         about=named(agent="agent_name"), subject=("conversation", "conversation_id"),
         collapse=("support", "conversation_id")),
    Rule(kind="support.resolved", topic="support.changed", to=BOTH, when=stated("resolved"),
         subject=("conversation", "conversation_id"), collapse=("support", "conversation_id")),
    Rule(kind="rating.asked", topic="rating.asked", to=BOTH, subject=("rating", "rating_id"),
         collapse=("rating", "conversation_id")),
    Rule(kind="feedback.answered", topic="feedback.changed", to=CUSTOMER, when=lambda fact: fact["is_reply"] is True,
         subject=("feedback", "feedback_id"), collapse=("feedback", "feedback_id")),
    # Staff (HS-053, HS-190 to HS-195, HS-200)
    case("safety", lambda fact: fact["type"] == "safety", urgency=Urgency.URGENT, channels=(*ROOM, Channel.SMS)),
    case("payment_failed", lambda fact: fact["type"] == "payment_failed", urgency=Urgency.URGENT),
    case("opened", lambda fact: fact["type"] not in TOLD_AT_ONCE, channels=DESK),
    case("raised", always, topic="case.raised", urgency=Urgency.URGENT),
    Rule(kind="thread.offered", topic="thread.offered", to=AGENT, urgency=Urgency.URGENT, channels=DESK,
         about=at(until="expires_at"), subject=("conversation", "conversation_id"),
         collapse=("thread", "conversation_id"), until="expires_at"),
    Rule(kind="promise.broken", topic="promise.broken", to=AGENT | STAFF | MEMBERS, urgency=Urgency.URGENT,
         channels=ROOM, subject=("conversation", "conversation_id"), collapse=("promise", "conversation_id")),
)  # fmt: skip

CHAT = Rule(
    kind="chat.waiting", topic="message.said", to=BOTH | AGENT, about=named(count="count"),
    subject=("conversation", "conversation_id"), collapse=("chat", "conversation_id"),
)  # fmt: skip
"""Not told at once: only when no device of the person has taken the message (reference: push when offline)."""

BROADCAST = Rule(
    kind="broadcast.sent", topic="broadcast.changed", to=frozenset(), subject=("broadcast", "broadcast_id"),
    about=named(title="title", body="body", link="link"),
)  # fmt: skip
"""Not told after a fact: staff say to whom (`broadcasts`)."""

KINDS: Mapping[str, Rule] = {rule.kind: rule for rule in (*RULES, CHAT, BROADCAST)}
"""By name; two rules of one name would be one kind with two words."""

FAMILIES = frozenset(kind.partition(".")[0] for kind in KINDS)
"""First words of kinds: a whole family is named by one."""

SILENT = tuple(rule.kind for rule in KINDS.values() if not rule.rings)
"""In the inbox and on the phone; no bell counts them."""

BY_TOPIC: Mapping[str, tuple[Rule, ...]] = {
    topic: tuple(rule for rule in RULES if rule.topic == topic) for topic in dict.fromkeys(rule.topic for rule in RULES)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A fact after which notices of this collapse key are nobody's news any more."""

    topic: str
    word: str
    field: str

    def key(self, fact: Body) -> str:
        return f"{self.word}:{fact[self.field]}"


ENDINGS: Mapping[str, Ending] = {
    ending.topic: ending
    for ending in (
        Ending(topic="offer.closed", word="offer", field="offer_id"),
        Ending(topic="grab.closed", word="lock", field="grab_id"),
        Ending(topic="case.taken", word="case", field="case_id"),
        Ending(topic="case.closed", word="case", field="case_id"),
        Ending(topic="thread.assigned", word="thread", field="conversation_id"),
        Ending(topic="rating.given", word="rating", field="conversation_id"),
    )
}

SAID, READ, SIGNED_OUT = "message.said", "message.read", "session.revoked"

HEARD: tuple[str, ...] = tuple(sorted({*BY_TOPIC, *ENDINGS, SAID, READ, SIGNED_OUT}))
"""Every topic that is listened to."""
