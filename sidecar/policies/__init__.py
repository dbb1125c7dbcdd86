"""Decisions, pure: each file is a Rule (its YAML block), a machine and nothing else.

No clock, no chance, no sockets: `now` is monotonic seconds, given by whoever asks.
"""
