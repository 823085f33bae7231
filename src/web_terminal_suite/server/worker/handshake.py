"""The WebSocket handshake: which client is accepted with which protocol, or refused with a reason."""

from __future__ import annotations

import binascii
import re
import socket
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs

from web_terminal_suite.protocol.codec import Subprotocol
from web_terminal_suite.protocol.compat import ttyd
from web_terminal_suite.server.access import Denied, TooManyFailures
from web_terminal_suite.server.worker.connection import ServerConnection
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.protocols.native import NativeProtocol
from web_terminal_suite.server.worker.protocols.terminado import TerminadoProtocol
from web_terminal_suite.server.worker.protocols.ttyd import TtydProtocol
from web_terminal_suite.server.worker.request_head import HttpRefusal, RequestHead, bad_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from web_terminal_suite.server.access import Principal, Scheme
    from web_terminal_suite.server.settings import Settings
    from web_terminal_suite.server.worker.context import WorkerContext
    from web_terminal_suite.server.worker.protocols.protocol import ServerProtocol
    from web_terminal_suite.server.worker.proxies import RequestSource
_KEY_BYTES = 16


class _Endpoint(NamedTuple):
    """What is at one path: ``protocols`` by subprotocol, the preferred one first, "" where the protocol names none.

    ``scheme`` is accepted besides Bearer. Where ``unauthenticated`` a client may authenticate after the handshake.
    """

    protocols: Mapping[str, Callable[[WorkerContext], ServerProtocol]]
    scheme: Scheme
    unauthenticated: bool


def _native(subprotocol: Subprotocol, context: WorkerContext) -> ServerProtocol:
    return NativeProtocol(subprotocol, context.limits, context.settings.window)


def _ttyd(context: WorkerContext) -> ServerProtocol:
    return TtydProtocol(context.limits, context.settings.window, socket.gethostname())


def _terminado(name: str, context: WorkerContext) -> ServerProtocol:
    return TerminadoProtocol(context.limits, context.settings.window, name)


_NATIVE = _Endpoint({each.value: partial(_native, each) for each in Subprotocol}, "bearer", True)
_TTYD = _Endpoint({ttyd.SUBPROTOCOL: _ttyd}, "basic", True)
_TERMINAL_NAME = re.compile(r"/terminals/websocket/(\w+)", re.ASCII)


def _endpoint(settings: Settings, path: str) -> _Endpoint | None:
    """What is at ``path``, if anything."""
    base = settings.base_path
    if path == f"{base}/ws":
        return _NATIVE
    if settings.ttyd_path and path == f"{base}{settings.ttyd_path}/ws":
        return _TTYD
    place = base + settings.terminado_path
    if settings.terminado_path and path.startswith(place):
        found = _TERMINAL_NAME.fullmatch(path.removeprefix(place))
        if found is not None:
            return _Endpoint({"": partial(_terminado, found[1])}, "token", False)
    return None


class Admission(NamedTuple):
    """An accepted handshake: the connection, its subprotocol ("" for none), and what the client's accept key is of."""

    connection: ServerConnection
    subprotocol: str
    key: str


def admit(context: WorkerContext, head: RequestHead, source: RequestSource) -> Admission:
    """Accept the handshake in ``head``, which is of ``source``.

    Raises:
        HttpRefusal: with a status and the reason.
    """
    path, _, query = head.target.partition("?")
    endpoint = _endpoint(context.settings, path)
    if endpoint is None:
        raise HttpRefusal(
            HTTPStatus.NOT_FOUND, f"no WebSocket at {path[:100]!r}; it is at {context.settings.base_path}/ws"
        )
    key = _key(head)
    principal = _principal(context, head, query, endpoint, source)
    offered = [name.strip() for name in ",".join(head.all("sec-websocket-protocol")).split(",")]
    chosen = next((name for name in endpoint.protocols if not name or name in offered), None)
    if chosen is None:
        known = " or ".join(endpoint.protocols)
        raise bad_request(f"no subprotocol of {', '.join(offered)[:100]!r} is supported; offer {known}")
    connection = ServerConnection(context, endpoint.protocols[chosen](context), principal, source.address)
    return Admission(connection, chosen, key)


def _key(head: RequestHead) -> str:
    """What the client wants to see the digest of (RFC 6455 section 4.2.1)."""
    if head.one("sec-websocket-version") != "13":
        raise HttpRefusal(
            HTTPStatus.UPGRADE_REQUIRED,
            "Sec-WebSocket-Version must be 13 (RFC 6455 section 4.2.1)",
            "Sec-WebSocket-Version: 13",
            "Upgrade: websocket",
        )
    if head.body_bytes != 0:
        raise bad_request("the request for a WebSocket has a body")
    key = head.one("sec-websocket-key") or ""
    try:
        length = len(binascii.a2b_base64(key, strict_mode=True))
    except ValueError:  # also for what is not ASCII
        length = 0
    if length != _KEY_BYTES:
        raise bad_request(f"Sec-WebSocket-Key is not {_KEY_BYTES} bytes in base64 (RFC 6455 section 4.1)")
    return key


def _principal(
    context: WorkerContext, head: RequestHead, query: str, endpoint: _Endpoint, source: RequestSource
) -> Principal | None:
    """Whose handshake it is; ``None`` where that is still to be said in a message."""
    authorization = head.one("authorization")
    if authorization is None and endpoint.scheme == "token":
        # JupyterLab's only way: a page cannot set a WebSocket's headers.
        authorization = next((f"token {value}" for value in parse_qs(query).get("token", [])), None)
    host, cookies = head.one("host"), head.all("cookie")
    try:
        context.access.check_host(host)
        context.access.check_origin(head.one("origin"), host)
        if source.user is not None:
            principal: Principal | None = context.access.by_proxy(source.user)
        else:
            principal = context.access.by_headers(
                authorization, "; ".join(cookies) or None, source.address, endpoint.scheme
            )
    except TooManyFailures as denied:
        context.audit.note("refused", address=source.address, how="handshake", reason=denied.reason)
        raise HttpRefusal(HTTPStatus.TOO_MANY_REQUESTS, denied.reason) from denied
    except Denied as denied:
        context.counters.row[Counters.AUTHENTICATIONS_FAILED] += 1
        context.audit.note("refused", address=source.address, how="handshake", reason=denied.reason)
        # A cookie of an earlier start is not an attack: the page logs in again over this connection.
        if authorization is not None or source.user or denied.reason.startswith(("host", "origin")):
            raise HttpRefusal(HTTPStatus.FORBIDDEN, denied.reason) from denied
        principal = None
    if principal is None and not endpoint.unauthenticated:
        raise HttpRefusal(HTTPStatus.FORBIDDEN, "credentials are needed: Authorization, ?token= or the login cookie")
    if principal is not None and (authorization is not None or source.user is not None):
        context.audit.note("login", address=source.address, user=principal.user, role=principal.role, how="handshake")
    return principal
