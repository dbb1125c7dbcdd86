"""Tests of the byte path with real sockets on both ends and the real program between them.

`origin` plays the provider, `caller` the application, `relay` starts the program. Nothing here
imports the program's own code: what is proved is what the wire shows.
"""
