"""What the client's side of TLS trusts, and how it says that a server is not trusted."""

from __future__ import annotations

import functools
import ssl


@functools.cache
def client_context() -> ssl.SSLContext:
    """The machine's CAs, or those in the file that ``SSL_CERT_FILE`` names (OpenSSL); read once."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def connect_problem(error: OSError) -> str:
    """Why no connection could be made; what is wrong with a certificate, and the remedy."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {error.verify_message.lower().rstrip('.')}; "
            "if a CA of your own made it, name the CA's file in SSL_CERT_FILE"
        )
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {(error.reason or str(error)).lower().replace('_', ' ')}"
    return error.strerror or str(error)
