"""What a relay costs, beside a plain one, in the same run.

    python -m tests.bench          the figures as a table
    pytest -m speed tests/bench    the gate

The relays under test run on CPU 0; simulated provider and load share CPU 1. A relay's cost is the
time that the kernel accounts to its threads in nanoseconds (/proc/PID/task/*/schedstat), which is
far steadier than wall time. Relays are measured in turns (A B A B …), and the median of three
rounds' ratios counts: the speed of a machine drifts, the ratio within one run does not.

How good the method is: two plain relays beside each other differ by 2 % in CPU per request, 8 % per
event and up to 19 % in the added time of a lone caller (4 cases of 5 within 8 %).
"""
