"""The TLS context of a server out of its files, tried before it is used; it knows no connection.

A certificate is tried by a handshake in memory. That shows what the standard library tells nowhere else: whether it is
one of a server, and from when until when it is valid.
"""

from __future__ import annotations

import os
import ssl
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from web_terminal_suite.server.settings import Settings

# X509_V_FLAG_NO_CHECK_TIME of OpenSSL (X509_VERIFY_PARAM_set_flags(3)): the times are compared here.
_NO_CHECK_TIME = 0x200000
# A handshake takes two rounds at most.
_ROUNDS = 4


class TlsProblem(Exception):
    """A certificate, key or CA that cannot be used; the text names the file and the remedy."""


class TlsContext(NamedTuple):
    """What connections are encrypted with, and the epoch seconds between which its certificate is valid."""

    context: ssl.SSLContext
    valid_from: float
    valid_until: float
    path: str

    def time_problem(self, now: float) -> str:
        """What is wrong with the certificate at this time; empty where nothing is."""
        clock = f"this machine's clock shows {_date(now)}"
        if now < self.valid_from:
            return f"tls_cert {self.path!r} is valid only from {_date(self.valid_from)} on, and {clock}; set the clock"
        if now > self.valid_until:
            return f"tls_cert {self.path!r} expired on {_date(self.valid_until)}, and {clock}; renew it"
        return ""


def load(settings: Settings) -> TlsContext:
    """The context of a server with these settings.

    Raises:
        TlsProblem: a file cannot be read or used, or key and certificate do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Renegotiation costs the server a signature at its client's will.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _load_certificate(context, settings.tls_cert, settings.tls_key)
    tried = _tried(context, settings.tls_cert)
    if settings.tls_client_ca:
        _load_client_ca(context, settings.tls_client_ca)
    valid_from, valid_until = (ssl.cert_time_to_seconds(tried[key]) for key in ("notBefore", "notAfter"))
    return TlsContext(context, valid_from, valid_until, settings.tls_cert)


def check(settings: Settings, now: float | None = None) -> None:
    """Let pass what can be served with now.

    Raises:
        TlsProblem: as ``load``, or the certificate is not valid at this time.
    """
    problem = load(settings).time_problem(time.time() if now is None else now)
    if problem:
        raise TlsProblem(problem)


def files_of(settings: Settings) -> tuple[tuple[str, int, int, int], ...]:
    """What changes when one of the files does, in place or by a link."""
    return tuple(_file(path) for path in (settings.tls_cert, settings.tls_key, settings.tls_client_ca) if path)


def _file(path: str) -> tuple[str, int, int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return path, 0, 0, 0
    return path, found.st_mtime_ns, found.st_ino, found.st_size


def _load_certificate(context: ssl.SSLContext, cert: str, key: str) -> None:
    where = f"tls_key {key!r}" if key else f"tls_cert {cert!r}"

    def refuse_to_ask() -> str:
        raise TlsProblem(f"{where} is encrypted, and nobody is there to type its passphrase; give a key without one")

    for name, path in (("tls_cert", cert), ("tls_key", key)):
        if path:
            _check_readable(name, path)
    try:
        context.load_cert_chain(cert, key or None, refuse_to_ask)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsProblem(f"tls_cert {cert!r} does not fit {where}; give the key it was made for") from error
        what = f"tls_cert {cert!r} and tls_key {key!r}" if key else where
        raise TlsProblem(
            f"{what} cannot be used ({error.reason or 'not PEM'}); they must hold a certificate and its key in PEM"
        ) from error


def _load_client_ca(context: ssl.SSLContext, path: str) -> None:
    _check_readable("tls_client_ca", path)
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise TlsProblem(f"tls_client_ca {path!r} holds no certificate in PEM ({error.reason or 'not PEM'})") from error
    context.verify_mode = ssl.CERT_REQUIRED


def _check_readable(name: str, path: str) -> None:
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        raise TlsProblem(f"{name} {path!r}: {(error.strerror or str(error)).lower()}") from error


def _tried(context: ssl.SSLContext, cert: str) -> dict[str, Any]:
    """The certificate as a client gets it that trusts it."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(cafile=cert)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.verify_flags |= _NO_CHECK_TIME
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(down, up)
    answering = context.wrap_bio(up, down, server_side=True)
    try:
        for _ in range(_ROUNDS):
            for side in (asking, answering):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    pass  # the other side's turn
    except ssl.SSLCertVerificationError as error:
        raise TlsProblem(f"tls_cert {cert!r} is none of a server: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise TlsProblem(f"tls_cert {cert!r} cannot be used: {error.reason}") from error
    found = asking.getpeercert()
    assert found  # it was verified
    return found


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
