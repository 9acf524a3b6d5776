"""The support desk: who waits, who answers, by when, and how it was.

Tables    desk_queues, desk_agents, agent_load, queue_members, agent_skills, agent_state_log, desk_threads, assignments,
          last_served, sla_timers, desk_ratings, desk_events, routing_tables, quick_replies
States    a thread: queued → offered → open ⇄ pending → resolved → closed, back to queued from everywhere
          (model.TRANSITIONS); an agent: online, busy, away, offline (model.AGENT_TRANSITIONS)
Calls     chat.calendars, chat.conversations (a thread has the id of its conversation)
Hears     message.said: a customer's makes it our turn, the assignee's makes it the customer's
Tells     thread.*, agent.changed, queue.access_changed, promise.warned, promise.broken, rating.given to staff
          (`support`, `support:…`, `agent:…`; of queues of members only `leads`, `leads:…` and each `member:…`);
          support.changed, rating.asked to the customer
Deadlines desk.drain, desk.sweep, desk.accept, desk.reply, desk.wait, desk.overflow, desk.idle, desk.idle_close,
          desk.close, desk.lost, desk.give_back, desk.duty, desk.promise, desk.rebase,
          desk.wake, desk.keep_out, desk.kept
Promises  one assignee at a time, and every change of him is a new epoch (A1); nobody holds more than his cap but by a
          supervisor's hand, counted apart (A2); the line gives nothing to who is offline, off duty or lacks a skill
          (A3); what a queue keeps to its members no other agent sees, hears or does, from the commit on that says so
          (A4, EB-070); whoever can be served is, the moment it can be (W1), the oldest of a priority first (W2); a
          promise of time is kept or broken once (S1); a closure is rated once, for those who answered (Q1); statistics
          are what the log says (T1)
Source    FR-112 to FR-135, FR-146 to FR-149, HS-191, EB-069 to EB-073, RV-274, RV-352 to RV-356

A line is read in one statement however many wait in it or watch over it (`line_of`); hubs tell what is new of it. Each
desk has its own rules, a tenant without any goes by the platform's.

What a support configuration holds (FR-149) is each queue's own, but for what is an agent's: his chats at once, his
shifts, and for how long the lost one is waited for (LOST_S), which is the same for all queues he serves.

Chat and ticket are two views of one thread: turning one into the other changes what it takes of its agent, and nothing
that was said. Capacity is decided by one guarded write on the agent's row, and by nothing else.
"""

from chat.desk.actions.again import ask
from chat.desk.actions.agents import (
    add_agent,
    change_agent,
    end_presence,
    end_unrenewed,
    lock_agent,
    renew_presence,
    renew_presences,
    set_queues,
    set_skills,
    set_state,
)
from chat.desk.actions.floor import customers_among, floor_of
from chat.desk.actions.line import Newcomer, accept, decline, drain, give_back, raise_severity, submit
from chat.desk.actions.queues import (
    DryRun,
    Place,
    add_reply,
    back_at,
    change_hours,
    change_queue,
    create_queue,
    current_rules,
    dry_run,
    explain,
    find_reply,
    lock_queue,
    name_of_server,
    place_of,
    publish_rules,
    remove_reply,
    replies_for,
)
from chat.desk.actions.ratings import rate, rate_by_link, rating_of
from chat.desk.actions.reports import (
    agent_names_of,
    agents_page,
    boards_of,
    is_about,
    line_of,
    on_duty,
    promises_of,
    queue_names_of,
    queues_page,
    statistics,
    subject_of,
    threads_page,
)
from chat.desk.actions.snoozing import snooze, wake
from chat.desk.actions.steps import agent_of, lock_thread, queue_of
from chat.desk.actions.threads import close, convert, find_thread, hear, reopen, reply, resolve, withdraw
from chat.desk.actions.transfers import may_close, may_handle, take_over, transfer_to_agent, transfer_to_queue
from chat.desk.boards import Board, Line, is_news
from chat.desk.choosing import Verdict
from chat.desk.deadlines import DEADLINES, begin_sweeping
from chat.desk.floor import Floor
from chat.desk.later import Later
from chat.desk.model import MEMBER_RANK, Agent, AgentState, Assignment, Expected, Kind, Queue, Severity, State, Thread
from chat.desk.ratings import Rating, token_of
from chat.desk.replies import QuickReply, missing, render
from chat.desk.routing import Request, Rule, When
from chat.desk.sla import Policy
from chat.desk.subscribers import SUBSCRIBERS

__all__ = [
    "DEADLINES",
    "MEMBER_RANK",
    "SUBSCRIBERS",
    "Agent",
    "AgentState",
    "Assignment",
    "Board",
    "DryRun",
    "Expected",
    "Floor",
    "Kind",
    "Later",
    "Line",
    "Newcomer",
    "Place",
    "Policy",
    "Queue",
    "QuickReply",
    "Rating",
    "Request",
    "Rule",
    "Severity",
    "State",
    "Thread",
    "Verdict",
    "When",
    "accept",
    "add_agent",
    "add_reply",
    "agent_names_of",
    "agent_of",
    "agents_page",
    "ask",
    "back_at",
    "begin_sweeping",
    "boards_of",
    "change_agent",
    "change_hours",
    "change_queue",
    "close",
    "convert",
    "create_queue",
    "current_rules",
    "customers_among",
    "decline",
    "drain",
    "dry_run",
    "end_presence",
    "end_unrenewed",
    "explain",
    "find_reply",
    "find_thread",
    "floor_of",
    "give_back",
    "hear",
    "is_about",
    "is_news",
    "line_of",
    "lock_agent",
    "lock_queue",
    "lock_thread",
    "may_close",
    "may_handle",
    "missing",
    "name_of_server",
    "on_duty",
    "place_of",
    "promises_of",
    "publish_rules",
    "queue_names_of",
    "queue_of",
    "queues_page",
    "raise_severity",
    "rate",
    "rate_by_link",
    "rating_of",
    "remove_reply",
    "render",
    "renew_presence",
    "renew_presences",
    "reopen",
    "replies_for",
    "reply",
    "resolve",
    "set_queues",
    "set_skills",
    "set_state",
    "snooze",
    "statistics",
    "subject_of",
    "submit",
    "take_over",
    "threads_page",
    "token_of",
    "transfer_to_agent",
    "transfer_to_queue",
    "wake",
    "withdraw",
]
