"""TLS towards upstreams, and towards callers.

Knows: how a context is made of an upstream's `tls:`, and that each distinct one is made once; how
one is made of `listen.tls:`.
Must not know: sockets. Building one reads the system's authorities and costs about 36 ms (measured
2026-11 on CPython 3.11), so it happens off the loop and before the first request needs it.
"""

from __future__ import annotations

import ssl

from sidecar.core.errors import StartError
from sidecar.settings.schema import ServerTls, Tls, Upstream


def contexts_for(upstreams: tuple[Upstream, ...]) -> dict[Tls, ssl.SSLContext]:
    """One context for each distinct `tls:` of the upstreams that speak it. Raises StartError."""
    made: dict[Tls, ssl.SSLContext] = {}
    for upstream in upstreams:
        if upstream.url.is_tls and upstream.tls not in made:
            try:
                made[upstream.tls] = _context(upstream.tls)
            except (OSError, ssl.SSLError) as error:
                what = type(error).__name__
                raise StartError(
                    f"upstreams.{upstream.name}.tls: its files cannot be used ({what}); they must"
                    " be readable PEM, and the key must fit the certificate"
                ) from None
    return made


def server_context(tls: ServerTls) -> ssl.SSLContext:
    """For callers who speak TLS to us. Raises StartError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.cert, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise StartError(
            f"listen.tls: its files cannot be used ({type(error).__name__}); they must be readable"
            " PEM, and the key must fit the certificate"
        ) from None
    return context


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # HTTP/2 would change how every byte is framed, and the callers speak 1.1.
    context.set_alpn_protocols(["http/1.1"])
    if tls.client_cert is not None:
        context.load_cert_chain(tls.client_cert, tls.client_key)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
