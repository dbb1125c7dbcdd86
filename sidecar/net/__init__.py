"""HTTP in and out: aiohttp's server and connector, with the bytes pushed.

`aio` holds all that is not public in aiohttp; `listener` and `caller` are the way in, `upstream`,
`wire` and `answers` the way out, `tls` and `faults` what both need.
"""
