"""Channels: WeChat Pay and Alipay, and everything that is between a payment attempt and its channel.

Tables    channel_attempts, channel_news (the inbox), channel_nonces, channel_refunds
States    attempt: asking → ready | refused; asking, ready → closing → closed; any + verified money → paid
          refund: requested → accepted → done; after three failures, or abnormal, manual → requested again
Calls     payments (open, close), ledger (suspense, refunding, clearing), workdays; the channels themselves, from jobs
          only
Hears     money.attempt_closed, money.refund_due of payments
Tells     money.came, money.refused to the lines; payment.ready to the customer; refund.slow to finance
Deadlines channel.refund_slow: a refund that is not done after three working days is shown to finance, once (RV-290)
Jobs      channel.prepay, channel.watch (news that does not come is asked for), channel.close (query, then close),
          channel.refund; channel.purge forgets old nonces
Promises  each trade of a channel is booked once, however often, late or out of order its news comes; money that is not
          exactly what an attempt of ours asked for never confirms an order: it is booked to the channel's suspense
          account and shown to finance; a signed message is taken once; refunds go back the way the money came, by a
          number that never changes (HS-150); no call to a channel while a transaction is open
Simulator simulator/ speaks both protocols as a server of its own, for development and tests
"""

from rest.money.channels.actions import begin
from rest.money.channels.errors import BadSignature, ChannelRefused, ChannelUnavailable, ChannelUnreachable
from rest.money.channels.subjects import (
    Came,
    check_channel,
    receive_price,
    refuse_price,
    return_price,
    subscribers,
    take_price,
)
from rest.money.channels.views import PartView, PaymentView, payment_view, payment_views
from rest.money.channels.wiring import CHANNELS, Channels, open_channels

__all__ = [
    "CHANNELS",
    "BadSignature",
    "Came",
    "ChannelRefused",
    "ChannelUnavailable",
    "ChannelUnreachable",
    "Channels",
    "PartView",
    "PaymentView",
    "begin",
    "check_channel",
    "open_channels",
    "payment_view",
    "payment_views",
    "receive_price",
    "refuse_price",
    "return_price",
    "subscribers",
    "take_price",
]
