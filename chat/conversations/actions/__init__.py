"""Verbs of conversations, by family. Lock order: the subject's own rows (held by the caller) → conversations by id."""
