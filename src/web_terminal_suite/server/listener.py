"""The listening socket that all workers share, and the URL at which it is reached."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import zlib
from typing import TYPE_CHECKING, Any

from web_terminal_suite.server.settings import is_loopback, plain_http_problem

if TYPE_CHECKING:
    from web_terminal_suite.server.settings import Settings

_BACKLOG = 4096


class StartFailed(Exception):
    """The server cannot start; the text says why and what to do."""


def bind(settings: Settings) -> socket.socket:
    """The listening socket all workers share.

    Raises:
        StartFailed: the port or path is in use, may not be bound, or the address is not this machine's.
    """
    if settings.unix:
        return _bind_unix(settings.unix, int(settings.unix_mode, 8))
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


def _bind_unix(path: str, mode: int) -> socket.socket:
    """A listening socket at ``path``, in the place of one that was left behind by a server that was killed."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)  # so that it never has other permissions
    try:
        _remove_stale(path)
        listener.bind(path)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartFailed(f"cannot listen on {path}: {(error.strerror or str(error)).lower()}") from error
    except StartFailed:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _remove_stale(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise StartFailed(f"{path} is there and is no socket; choose another path with --unix")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass  # its backlog is full, so somebody listens
    raise StartFailed(f"a server listens on {path} already; choose another path with --unix")


class SocketFile:
    """The file of a Unix socket, to be removed when the server ends; none where the listener has no file."""

    def __init__(self, listener: socket.socket) -> None:
        self._path = listener.getsockname() if listener.family == socket.AF_UNIX else ""
        self._identity = self._found()

    def _found(self) -> tuple[int, int] | None:
        with contextlib.suppress(OSError):  # it was removed, or there is none
            found = os.lstat(self._path)
            return found.st_dev, found.st_ino
        return None

    def remove(self) -> None:
        """Remove it, unless another has taken its place."""
        if self._identity is not None and self._found() == self._identity:
            os.unlink(self._path)


def number_of(listener: socket.socket) -> int:
    """What tells this server's cookies from those of others on this machine: its port, or a digest of its path."""
    if listener.family == socket.AF_UNIX:
        return zlib.crc32(os.fsencode(listener.getsockname()))
    return int(listener.getsockname()[1])


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
    if not (settings.serves_tls or settings.insecure_plain_http or is_loopback(host)):
        raise StartFailed(plain_http_problem(f"systemd's socket listens on {host}, which"))
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
    end = f"{settings.base_path}/" + (f"#token={token}" if token else "")
    if listener.family == socket.AF_UNIX:
        return f"http://unix:{listener.getsockname()}:{end}"  # as NGINX writes it
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    origin = f"{'https' if settings.serves_tls else 'http'}://{shown}:{port}"
    public = settings.public_url.rstrip("/")
    return public + end.removeprefix(settings.base_path) if public else origin + end
