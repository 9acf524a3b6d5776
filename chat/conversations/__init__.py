"""Conversations: people, workers and support talk, about an order or about nothing (HS-193, HS-198; FR-125, FR-127).

Tables    conversations, participants, messages, drafts
States    open → closed → open (reopened)
Calls     storage.files (a file named in a message belongs to its conversation)
Tells     message.said .edited .recalled .read, to everybody in it, each at an audience of his own; message.noted to
          staff; conversation.opened .closed .reopened .handed .assigned .joined .left
Promises  C1 a message is stored once for each (sender, client_id), for good
          C2 seqs are 1 … last_seq without a hole, times do not go back
          C3 everybody sees the same order
          C5 nobody reads what `may_read` does not give
          C6 marks only grow, read ≤ delivered ≤ last
          C7 internal notes reach staff alone
          C8 what a queue keeps to its members no other agent of its desk reads, hears or finds; supervisors do
          A4 who was relieved of it cannot answer

A conversation has a subject (kind, id) and knows nothing else of orders. Queues, capacity and who is to be assigned are
not decided here: `set_assignee` keeps the decision with its epoch. Nor is whom a conversation is kept to: it is read
with the conversation (view `conversation_circles`), so it holds at once. `may_read` and `may_write` are the only rules
of access; lists and search have them as conditions.
"""

from chat.conversations.actions.marks import mark_read, save_draft
from chat.conversations.actions.reading import (
    digests,
    draft_of,
    drafts_of,
    file_of,
    history,
    last_seen,
    list_own,
    list_served,
    members_of,
    read_conversation,
    records,
    search,
    sync,
    untaken,
)
from chat.conversations.actions.saying import edit_message, recall_message, say, say_system
from chat.conversations.actions.threads import (
    close_conversation,
    find_conversation,
    hand_over,
    has_other_open,
    join,
    leave,
    open_conversation,
    reopen_conversation,
    set_assignee,
)
from chat.conversations.facts import agent_audience, circle_audience, desk_audience, lead_audience, leads_audience
from chat.conversations.model import (
    AnsweredMeanwhile,
    Circle,
    Content,
    Conversation,
    ConversationClosed,
    ConversationState,
    Delta,
    Draft,
    Kind,
    Member,
    MembersOnly,
    Message,
    MessageEmpty,
    MessageFixed,
    MessageTooLong,
    NothingSought,
    Reader,
    ReadOnly,
    ReplyUnknown,
    Role,
    Row,
    Said,
    Sight,
    Sought,
    Staff,
    StaleAssignment,
    Standing,
    Status,
    circle_of,
    may_read,
    may_write,
)

__all__ = [
    "AnsweredMeanwhile",
    "Circle",
    "Content",
    "Conversation",
    "ConversationClosed",
    "ConversationState",
    "Delta",
    "Draft",
    "Kind",
    "Member",
    "MembersOnly",
    "Message",
    "MessageEmpty",
    "MessageFixed",
    "MessageTooLong",
    "NothingSought",
    "ReadOnly",
    "Reader",
    "ReplyUnknown",
    "Role",
    "Row",
    "Said",
    "Sight",
    "Sought",
    "Staff",
    "StaleAssignment",
    "Standing",
    "Status",
    "agent_audience",
    "circle_audience",
    "circle_of",
    "close_conversation",
    "desk_audience",
    "digests",
    "draft_of",
    "drafts_of",
    "edit_message",
    "file_of",
    "find_conversation",
    "hand_over",
    "has_other_open",
    "history",
    "join",
    "last_seen",
    "lead_audience",
    "leads_audience",
    "leave",
    "list_own",
    "list_served",
    "mark_read",
    "may_read",
    "may_write",
    "members_of",
    "open_conversation",
    "read_conversation",
    "recall_message",
    "records",
    "reopen_conversation",
    "save_draft",
    "say",
    "say_system",
    "search",
    "set_assignee",
    "sync",
    "untaken",
]
