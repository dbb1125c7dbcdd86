"""The operator's port: everything that we serve for ourselves is here, nothing on the data port.

`pages` holds what each path answers, `gate` who may ask and how errors look, `server` the socket.
"""
