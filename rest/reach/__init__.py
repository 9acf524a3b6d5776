"""Reach: telling people what happened, wherever they are: inbox, push, text messages, WeChat, WeCom.

Tables    notices (the inbox), deliveries, push_devices, notice_settings, delivery_counts, chat_waits, notice_place
States    a delivery: held (quiet hours) → queued → sent → delivered; queued → failed (refused for good), given_up (too
          late, or tried enough), dropped (read meanwhile, device gone, told by another) (model.TRANSITIONS)
Calls     dispatch, chat.conversations, chat.desk, people: who somebody is, what he has taken; the providers, from jobs
          only. Nobody calls reach: it reads the feed (listener) and is imported by the application alone
Hears     the topics of `kinds.HEARD`, in the order of the feed, in batches that are one transaction with the place
Tells     notice.new, notice.read to the person, in every app
Deadlines reach.chat (has a device taken the message?), reach.wake (quiet hours end), reach.prune, reach.hear (a fact
          that could not be heard); those of broadcasts
Jobs      reach.send: one delivery, asked of its provider with no transaction open; reach.send_bulk: one of a broadcast
Promises  a fact is told to a person once, whatever dies when; what happened waits for no push (HS-204), it pays not
          even a row; a provider that knows sendings by a number gets each one once; urgent kinds wait for no quiet
          hours, and all others do; ten messages of a chat are one push, and what was taken is none; other people's
          notices are not there; no phone number, token or text is kept with a delivery or logged
Source    HS-199 to HS-204, HS-113, FR-132, FR-186 to FR-192
"""

from rest.reach.jobs import begin_pruning, bulk_jobs, deadlines, outside_jobs
from rest.reach.listener import Listener
from rest.reach.wiring import Senders, code_sender, open_senders

__all__ = [
    "Listener",
    "Senders",
    "begin_pruning",
    "bulk_jobs",
    "code_sender",
    "deadlines",
    "open_senders",
    "outside_jobs",
]
