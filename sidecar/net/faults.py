"""Exceptions of aiohttp, ssl and the system become our Reasons: here and nowhere else.

Knows: which exception of a failed connect means what.
Must not know: what is done about it. No message text is matched, only types and numbers.
"""

from __future__ import annotations

import ssl

import aiohttp

from sidecar.core.outcome import Reason


def reason_of_connect(error: BaseException) -> Reason:
    """Why no connection could be had."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return Reason.DNS_FAILED
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLError():
            return Reason.TLS_FAILED
        case _:
            return Reason.CONNECT_FAILED


CONNECT_ERRORS = (aiohttp.ClientError, OSError, TimeoutError, ssl.SSLError, ssl.CertificateError)
"""What a connect may raise. Anything else is a bug of ours and unwinds as one."""
