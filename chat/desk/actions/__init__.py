"""Verbs of the desk, by family.

Lock order: queue → thread → agent_load rows (sorted) → the conversation → job rows. A verb that frees room or brings
somebody into the line does not assign itself: it leaves a drain of the queue in the same transaction, which runs the
moment that one is committed and holds no other lock.
"""
