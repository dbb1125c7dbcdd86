"""HTTP in and out: aiohttp's server and connector, with the bytes pushed.

The way in: `listener` (ports), `server` (connections), `requests` (parsing), `caller` (answering).
The way out: `upstream` (one configured destination), `connector` (its pool), `wire` (one connection
for one attempt), `reader` (parsing), `tls`, `faults`. `aio` checks what we use of aiohttp's inside.
"""
