"""The listening socket that all workers share, and the URL at which it is reached."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any

from web_terminal_suite.server.settings import is_loopback

if TYPE_CHECKING:
    from web_terminal_suite.server.settings import Settings

_BACKLOG = 4096


class StartFailed(Exception):
    """The server cannot start; the text says why and what to do."""


def bind(settings: Settings) -> socket.socket:
    """The listening socket all workers share.

    Raises:
        StartFailed: the port is in use, may not be bound, or the address is not this machine's.
    """
    try:
        found = socket.getaddrinfo(settings.host.strip("[]"), settings.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise StartFailed(f"host {settings.host!r}: {error.strerror}") from error
    family, kind, _protocol, _name, address = found[0]
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartFailed(_bind_problem(settings, error)) from error
    return listener


def adopt(settings: Settings, inherited: list[socket.socket]) -> socket.socket:
    """The listening socket that systemd opened for the server, which is bound to what its socket unit says.

    Raises:
        StartFailed: it is not one stream socket, or one that must not be served without authentication.
    """
    listener = inherited[0]
    if len(inherited) > 1 or listener.family not in (socket.AF_INET, socket.AF_INET6):
        raise StartFailed("systemd handed over something else than one TCP socket; use one ListenStream=ADDRESS:PORT")
    if listener.type != socket.SOCK_STREAM or not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise StartFailed("systemd's socket does not listen; use ListenStream= and Accept=no")
    host = listener.getsockname()[0]
    if settings.insecure_no_auth and not is_loopback(host):
        raise StartFailed(f"systemd's socket listens on {host}, and insecure_no_auth is for loopback only; set a token")
    return listener


def place_of(listener: socket.socket) -> dict[str, Any]:
    """The settings that say where a socket listens."""
    host, port = listener.getsockname()[:2]
    return {"host": host, "port": port}


def _bind_problem(settings: Settings, error: OSError) -> str:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return f"port {settings.port} on {settings.host} is in use; choose another with --port, or 0 for any free one"
    if error.errno == errno.EACCES:
        return f"port {settings.port} needs privileges; choose one above 1023 with --port"
    return f"cannot listen on {where}: {(error.strerror or str(error)).lower()}"


def url(settings: Settings, listener: socket.socket, token: str = "") -> str:
    """Where to point a browser; a token is behind ``#``, which browsers never send."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}{settings.base_path}/" + (f"#token={token}" if token else "")
