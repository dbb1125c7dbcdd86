"""Foreign exceptions become our Reasons by their type."""

from __future__ import annotations

import ssl
from types import SimpleNamespace

import aiohttp
import pytest

from sidecar.core.outcome import Reason
from sidecar.net.faults import CONNECT_ERRORS, reason_of_connect

_KEY = SimpleNamespace(host="h", port=1, is_ssl=True, ssl=True)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (aiohttp.ClientConnectorDNSError(_KEY, OSError()), Reason.DNS_FAILED),
        (aiohttp.ClientConnectorCertificateError(_KEY, ValueError()), Reason.TLS_FAILED),
        (aiohttp.ClientConnectorSSLError(_KEY, OSError()), Reason.TLS_FAILED),
        (ssl.SSLError(), Reason.TLS_FAILED),
        (aiohttp.ClientConnectorError(_KEY, OSError()), Reason.CONNECT_FAILED),
        (aiohttp.ClientProxyConnectionError(_KEY, OSError()), Reason.CONNECT_FAILED),
        (TimeoutError(), Reason.CONNECT_FAILED),
        (ConnectionResetError(), Reason.CONNECT_FAILED),
    ],
)
def test_why_no_connection_could_be_had(error: Exception, reason: Reason) -> None:
    assert isinstance(error, CONNECT_ERRORS)
    assert reason_of_connect(error) is reason


def test_a_bug_is_not_taken_for_a_fault_of_the_network() -> None:
    assert not isinstance(ZeroDivisionError(), CONNECT_ERRORS)
