"""The HTTP gate: what may be asked without credentials is listed here, everything else is refused.

Wraps the whole application, so that a route added later is closed until somebody opens it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from web_terminal_suite.protocol.error_codes import CONSEQUENCES, ErrorCode
from web_terminal_suite.server.access import Access, Denied, Scheme, TooManyFailures

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from web_terminal_suite.server.settings import Settings

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    Application = Callable[[Any, Any, Any], Awaitable[None]]

GRANT = "web_terminal_suite.grant"
"""The scope's key under which handlers find who asks."""

_OPEN = {("POST", "/api/v1/login"), ("GET", "/api/v1/health")}
_OPEN_PAGE = ("/assets/",)
_OPEN_FILES = ("", "/", "/index.html", "/favicon.svg", "/favicon.ico")

# xterm.js sets styles from script, so inline styles must be allowed; scripts come from files of ours only.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "font-src 'self' data:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


def gate(application: Application, access: Access, settings: Settings) -> Application:
    """``application`` behind the checks of ``access``."""
    base_path = settings.base_path
    places = foreign_places(settings)

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in reversed(scope["headers"])}
        path = scope["path"].removeprefix(base_path)
        scheme: Scheme = next((scheme for place, scheme in places if path.startswith(place)), "bearer")

        async def send_with_headers(event: MutableMapping[str, Any]) -> None:
            if event["type"] == "http.response.start":
                event["headers"] = [*event.get("headers", ()), *_HEADERS]
                if path.startswith("/api/") or scheme != "bearer":
                    event["headers"].append((b"cache-control", b"no-store"))
            await send(event)

        if "\0" in path:  # no file and no route has one, and the file system raises
            await _refuse(send_with_headers, ErrorCode.BAD_REQUEST, "the path holds a NUL character")
            return
        try:
            access.check_host(headers.get(b"host"))
            if scope["method"] not in ("GET", "HEAD"):
                access.check_origin(headers.get(b"origin"), headers.get(b"host"))
        except Denied as denied:
            await _refuse(send_with_headers, ErrorCode.FORBIDDEN, denied.reason)
            return
        reason = "credentials are needed: Authorization: Bearer TOKEN, or the login cookie"
        try:
            address = scope["client"][0] if scope["client"] else ""
            scope[GRANT] = access.by_headers(headers.get(b"authorization"), headers.get(b"cookie"), address, scheme)
        except TooManyFailures as denied:
            await _refuse(send_with_headers, ErrorCode.RATE_LIMIT, denied.reason)
            return
        except Denied as denied:
            scope[GRANT] = None
            reason = denied.reason
        if scope[GRANT] is None and not _is_open(scope["method"], path):
            await _refuse(send_with_headers, ErrorCode.AUTHENTICATION_FAILED, reason, scheme)
            return
        await application(scope, receive, send_with_headers)

    return checked


def foreign_places(settings: Settings) -> list[tuple[str, Scheme]]:
    """What the paths of others' wires begin with below the base path, and how their clients authenticate."""
    schemes: list[tuple[str, Scheme]] = [(settings.ttyd_path, "basic"), (settings.terminado_path, "token")]
    return [(f"{path}/", scheme) for path, scheme in schemes if path]


def _is_open(method: str, path: str) -> bool:
    if (method, path) in _OPEN:
        return True
    return method in ("GET", "HEAD") and (path in _OPEN_FILES or path.startswith(_OPEN_PAGE))


async def _refuse(send: Send, code: ErrorCode, message: str, scheme: Scheme = "bearer") -> None:
    status = CONSEQUENCES[code].status
    body = msgspec.json.encode({"code": code, "message": message})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status is HTTPStatus.UNAUTHORIZED:
        # A browser asks its user only where Basic is offered, which nothing of ours needs.
        headers.append((b"www-authenticate", b'Basic realm="web-terminal"' if scheme == "basic" else b"Bearer"))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
