"""The WebSocket handshake: which client is accepted with which protocol, or refused with a reason.

uvicorn parses the upgrade request and hands the transport over (its ``ws=`` setting); picows takes it from there. Both
are used below their public surface, which ``tests/server/worker/test_contract.py`` names and which is why their
minor versions are pinned.
"""

from __future__ import annotations

import logging
import re
import socket
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

from picows import WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSAutoPingStrategy, WSProtocol  # type: ignore[attr-defined]  # compiled, not in the stubs

from web_terminal_suite.protocol.codec import Subprotocol
from web_terminal_suite.protocol.compat import ttyd
from web_terminal_suite.server.access import Denied, TooManyFailures
from web_terminal_suite.server.worker.authenticated_connection import address
from web_terminal_suite.server.worker.connection import ServerConnection
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.protocols.native import NativeProtocol
from web_terminal_suite.server.worker.protocols.terminado import TerminadoProtocol
from web_terminal_suite.server.worker.protocols.ttyd import TtydProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from picows import WSTransport, WSUpgradeRequest

    from web_terminal_suite.server.access import Scheme
    from web_terminal_suite.server.settings import Settings
    from web_terminal_suite.server.worker.context import WorkerContext
    from web_terminal_suite.server.worker.protocols.protocol import ServerProtocol

# picows would make a Logger for each connection, and logs its client's faults as errors of ours.
_picows_log = logging.LoggerAdapter(logging.getLogger("web_terminal_suite.picows"), {})
_picows_log.logger.setLevel(logging.CRITICAL)

# Connections that have not authenticated; beyond this number new ones are turned away.
_MAX_UNAUTHENTICATED = 1000


def protocol_class(context: WorkerContext) -> type[WSProtocol]:
    """The class for uvicorn's ``ws=`` setting: one instance a connection, all of this worker."""

    class WebSocket(WSProtocol):  # type: ignore[misc]  # compiled, not in the stubs
        __slots__ = ()  # no dictionary: there are thousands of these

        def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
            super().__init__(
                None,  # host_port and ws_path are a client's
                None,
                False,  # is_client_side
                lambda request: admit(context, request, self.transport),
                _picows_log,
                True,  # disconnect_on_exception
                None,  # handshake timeout: the request was read whole before it came here
                False,  # auto ping: dead peers are the kernel's to find (TCP keep-alive), at no cost while idle
                3600,
                3600,
                WSAutoPingStrategy.PING_WHEN_IDLE,
                False,  # auto pong: a connection answers pings itself, with regard to what waits already
                context.settings.message_limit,
                None,  # extra headers
                2048,  # read buffer; it grows
            )

        def connection_made(self, transport: Any) -> None:
            context.connections.enter(self)
            super().connection_made(transport)

        def data_received(self, data: bytes) -> None:
            """The upgrade request, read before it was known to be one."""
            while data:
                room = self.get_buffer(len(data))
                count = min(len(room), len(data))
                room[:count] = data[:count]
                self.buffer_updated(count)
                data = data[count:]

        def connection_lost(self, exc: Exception | None) -> None:
            context.connections.leave(self)
            super().connection_lost(exc)

        def shutdown(self) -> None:
            """The worker stops or is replaced."""
            if isinstance(self.listener, ServerConnection) and context.leaving is not None:
                self.listener.close(context.leaving, "the server stops" if context.stopping else "reconnect and resume")

    return WebSocket


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


class _Admission(WSUpgradeResponse):
    """The answer to an accepted handshake. ``ServerConnection`` sends its bytes together with the greeting."""

    status = HTTPStatus.SWITCHING_PROTOCOLS

    def __init__(self, subprotocol: str, transport: WSTransport, connection: ServerConnection) -> None:
        self.headers = {}  # type: ignore[assignment]  # picows sets one, and needs no more than that
        self._subprotocol = subprotocol
        self._transport: WSTransport | None = transport
        self._connection: ServerConnection | None = connection

    def to_bytes(self) -> bytearray:
        headers = {"Connection": "upgrade", "Upgrade": "websocket", **self.headers}
        if self._subprotocol:
            headers["Sec-WebSocket-Protocol"] = self._subprotocol
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        assert self._connection is not None  # picows asks once
        assert self._transport is not None
        self._connection.gather(self._transport, f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode())
        self._connection = self._transport = None  # its transport keeps the answer
        return bytearray()


def admit(context: WorkerContext, request: WSUpgradeRequest, transport: WSTransport) -> WSUpgradeResponseWithListener:
    """The answer to a handshake: a connection, or a refusal with its reason."""
    headers = request.headers
    origin = address(transport.underlying_transport)
    path, _, query = request.path.decode("latin-1").partition("?")
    endpoint = _endpoint(context.settings, path)
    if endpoint is None:
        return _refuse(
            HTTPStatus.NOT_FOUND, f"no WebSocket at {path[:100]!r}; it is at {context.settings.base_path}/ws"
        )
    if headers.get("Sec-WebSocket-Version") != "13":
        return _refuse(HTTPStatus.UPGRADE_REQUIRED, "Sec-WebSocket-Version must be 13 (RFC 6455 section 4.2.1)")
    authorization = headers.get("Authorization")
    if authorization is None and endpoint.scheme == "token":
        # JupyterLab's only way: a page cannot set a WebSocket's headers.
        authorization = next((f"token {value}" for value in parse_qs(query).get("token", [])), None)
    try:
        context.access.check_host(headers.get("Host"))
        context.access.check_origin(headers.get("Origin"), headers.get("Host"))
        principal = context.access.by_headers(authorization, headers.get("Cookie"), origin, endpoint.scheme)
    except TooManyFailures as denied:
        return _refuse(HTTPStatus.TOO_MANY_REQUESTS, denied.reason)
    except Denied as denied:
        context.counters.row[Counters.AUTHENTICATIONS_FAILED] += 1
        # A cookie of an earlier start is not an attack: the page logs in again over this connection.
        if authorization is not None or denied.reason.startswith(("host", "origin")):
            return _refuse(HTTPStatus.FORBIDDEN, denied.reason)
        principal = None
    if principal is None and not endpoint.unauthenticated:
        return _refuse(HTTPStatus.FORBIDDEN, "credentials are needed: Authorization, ?token= or the login cookie")
    if principal is None and context.unauthenticated >= _MAX_UNAUTHENTICATED:
        return _refuse(
            HTTPStatus.SERVICE_UNAVAILABLE, f"{_MAX_UNAUTHENTICATED} connections wait to authenticate; try again later"
        )
    offered = [name.strip() for name in ",".join(headers.getall("Sec-WebSocket-Protocol", [])).split(",")]
    chosen = next((name for name in endpoint.protocols if not name or name in offered), None)
    if chosen is None:
        known = " or ".join(endpoint.protocols)
        return _refuse(
            HTTPStatus.BAD_REQUEST, f"no subprotocol of {', '.join(offered)[:100]!r} is supported; offer {known}"
        )
    connection = ServerConnection(context, endpoint.protocols[chosen](context), principal)
    return WSUpgradeResponseWithListener(_Admission(chosen, transport, connection), connection)


def _refuse(status: HTTPStatus, reason: str) -> WSUpgradeResponseWithListener:
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(status, reason.encode()), None)
