"""The support desk: who waits, who answers, by when, and how it was.

Tables    desk_queues, desk_agents, agent_load, queue_members, agent_skills, agent_state_log, desk_threads, assignments,
          last_served, sla_timers, desk_ratings, desk_events, routing_tables, quick_replies
States    a thread: queued → offered → open ⇄ pending → resolved → closed, back to queued from everywhere
          (model.TRANSITIONS); an agent: online, busy, away, offline (model.AGENT_TRANSITIONS)
Calls     chat.calendars, chat.conversations (a thread has the id of its conversation)
Hears     message.said: a customer's makes it our turn, the assignee's makes it the customer's
Tells     thread.*, agent.changed, promise.warned, promise.broken, rating.given to staff (`support`,
          `support:…`, `agent:…`); support.changed, rating.asked to the customer
Deadlines desk.drain, desk.sweep, desk.accept, desk.reply, desk.wait, desk.overflow, desk.idle, desk.idle_close,
          desk.close, desk.lost, desk.give_back, desk.duty, desk.promise, desk.rebase
Promises  one assignee at a time, and every change of him is a new epoch (A1); nobody holds more than his cap but by a
          supervisor's hand, counted apart (A2); the line gives nothing to who is offline, off duty or lacks a skill
          (A3); whoever can be served is, the moment it can be (W1), the oldest of a priority first (W2); a promise of
          time is kept or broken once (S1); a closure is rated once, for those who answered (Q1); statistics are what
          the log says (T1)
Source    FR-112 to FR-135, FR-146 to FR-149, HS-191, EB-069 to EB-073, RV-274, RV-352 to RV-356

Chat and ticket are two views of one thread: turning one into the other changes what it takes of its agent, and nothing
that was said. Capacity is decided by one guarded write on the agent's row, and by nothing else.
"""

from chat.desk.actions.agents import (
    add_agent,
    change_agent,
    end_presence,
    lock_agent,
    renew_presence,
    set_queues,
    set_skills,
    set_state,
)
from chat.desk.actions.line import Newcomer, accept, decline, drain, give_back, raise_severity, submit
from chat.desk.actions.queues import (
    DryRun,
    Place,
    add_reply,
    change_hours,
    change_queue,
    create_queue,
    current_rules,
    dry_run,
    explain,
    find_reply,
    lock_queue,
    place_of,
    publish_rules,
    remove_reply,
    replies_for,
)
from chat.desk.actions.ratings import rate, rate_by_link, rating_of
from chat.desk.actions.reports import agents_page, queues_page, statistics, threads_page
from chat.desk.actions.steps import agent_of, queue_of
from chat.desk.actions.threads import close, convert, find_thread, hear, reopen, reply, resolve, withdraw
from chat.desk.actions.transfers import may_handle, take_over, transfer_to_agent, transfer_to_queue
from chat.desk.deadlines import DEADLINES, begin_sweeping
from chat.desk.model import MEMBER_RANK, Agent, AgentState, Assignment, Kind, Queue, Severity, State, Thread
from chat.desk.ratings import Rating, token_of
from chat.desk.replies import QuickReply, render
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
    "DryRun",
    "Kind",
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
    "When",
    "accept",
    "add_agent",
    "add_reply",
    "agent_of",
    "agents_page",
    "begin_sweeping",
    "change_agent",
    "change_hours",
    "change_queue",
    "close",
    "convert",
    "create_queue",
    "current_rules",
    "decline",
    "drain",
    "dry_run",
    "end_presence",
    "explain",
    "find_reply",
    "find_thread",
    "give_back",
    "hear",
    "lock_agent",
    "lock_queue",
    "may_handle",
    "place_of",
    "publish_rules",
    "queue_of",
    "queues_page",
    "raise_severity",
    "rate",
    "rate_by_link",
    "rating_of",
    "remove_reply",
    "render",
    "renew_presence",
    "reopen",
    "replies_for",
    "reply",
    "resolve",
    "set_queues",
    "set_skills",
    "set_state",
    "statistics",
    "submit",
    "take_over",
    "threads_page",
    "token_of",
    "transfer_to_agent",
    "transfer_to_queue",
    "withdraw",
]
