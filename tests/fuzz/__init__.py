"""Inputs nobody meant to send: made from a grammar, broken on purpose, and always the same ones for the same seed."""
