"""The edge where measurements leave: names, ledger, prometheus, log, live, fanout, lag.

`names` says what is measured, `ledger` adds it up, everything else shows it to somebody. A sink
that fails, is slow or is full loses its own lines and counts them; traffic does not notice.
"""
