"""Plain words that everyone shares. Imports nothing of ours; does no input or output.

A file enters this folder only when two other folders need it.
"""
