"""Simulated providers with scripted faults, and what is built on them: traffic and the demo.

In order of reading: script (what was asked for, in a model name) -> reply (what will be said, in
no dialect) -> openai, responses, anthropic (the same, as each provider would write it) -> damage
(what a fault does to it) -> performance (when it leaves, on which socket) -> mock (the server) ->
traffic -> figures -> demo. All up to damage is pure.
"""
