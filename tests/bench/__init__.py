"""What a relay costs, beside a plain one, in the same run.

    python -m tests.bench          the figures as a table
    pytest -m speed tests/bench    the gate

The relay under test runs alone on CPU 0; simulated provider and load share CPU 1. Its cost is
the time that the kernel accounts to its threads in nanoseconds (/proc/PID/task/*/schedstat), which
is far steadier than wall time. Relays are measured in turns (A B A B …) and medians are compared:
the speed of a machine drifts, the ratio within one run does not.
"""
