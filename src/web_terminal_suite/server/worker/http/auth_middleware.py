"""Authentication of HTTP requests: what may be asked without credentials is listed here, everything else is refused.

Wraps the whole application, so that a route added later is closed until it is listed.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.protocol.error_codes import CONSEQUENCES, ErrorCode
from web_terminal_suite.server.access import Access, Denied, Scheme, TooManyFailures, TryAgain

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from web_terminal_suite.server.audit import AuditLog
    from web_terminal_suite.server.settings import Settings

PRINCIPAL = "web_terminal_suite.principal"
"""The scope's key under which handlers find the principal of a request."""
PROXY_USER = "web_terminal_suite.proxy_user"
"""And the one under which is the user that a trusted proxy names, ``None`` where there is none."""

_PROBES = {("GET", "/api/v1/health"), ("GET", "/api/v1/health/live")}
_OPEN = {("POST", "/api/v1/login"), *_PROBES}
# Asked for by address, or without a Host (HTTP/1.0), by what watches the server. Nothing else counts there than a token
# in the request, which no page of another site has.
_BY_ADDRESS = {*_PROBES, ("GET", "/api/v1/metrics")}
# A browser that logs in at a provider; the routes are there only where there is one.
_OPEN_LOGIN = {("GET", "/api/v1/login/oidc"), ("GET", "/api/v1/login/oidc/callback")}
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


class AuthMiddleware:
    """An ASGI application behind the checks of ``access``."""

    def __init__(self, application: ASGIApp, access: Access, audit: AuditLog, settings: Settings) -> None:
        self._application = application
        self._access = access
        self._audit = audit
        self._settings = settings
        self._base_path = settings.base_path
        self._compat_paths = compat_paths(settings)
        self._strict_transport = _strict_transport(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an authenticated request on, with its principal in the scope; refuse any other."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        path = scope["path"].removeprefix(self._base_path)
        scheme: Scheme = next((scheme for place, scheme in self._compat_paths if path.startswith(place)), "bearer")

        async def send_with_headers(event: Message) -> None:
            if event["type"] == "http.response.start":
                event["headers"] = [*event.get("headers", ()), *_HEADERS]
                if self._strict_transport is not None and not _is_localhost(scope):
                    event["headers"].append(self._strict_transport)
                if path.startswith("/api/") or scheme != "bearer":
                    event["headers"].append((b"cache-control", b"no-store"))
            await send(event)

        try:
            refusal = self._refusal(scope, path, scheme)
        except TryAgain:
            assert self._access.jwt is not None  # who raised it
            await self._access.jwt.refreshed()
            refusal = self._refusal(scope, path, scheme, again=True)
        if refusal is None:
            await self._application(scope, receive, send_with_headers)
        else:
            await _refuse(send_with_headers, *refusal, scheme)

    def _refusal(self, scope: Scope, path: str, scheme: Scheme, *, again: bool = False) -> tuple[ErrorCode, str] | None:
        """Code and text of what is not let in; else puts the principal into the scope.

        Raises:
            TryAgain: it may be let in soon; not ``again``.
        """
        if "\0" in path:  # no file and no route has one, and the file system raises
            return ErrorCode.BAD_REQUEST, "the path contains a NUL character"
        headers = {name: value.decode("latin-1") for name, value in reversed(scope["headers"])}
        authorization, cookie = headers.get(b"authorization"), headers.get(b"cookie")
        address = scope["client"][0] if scope["client"] else ""
        is_probe = (scope["method"], path) in _PROBES
        scope[PRINCIPAL] = None
        try:
            self._access.check_host(headers.get(b"host"))
            if scope["method"] not in ("GET", "HEAD"):
                self._access.check_origin(headers.get(b"origin"), headers.get(b"host"))
        except Denied as denied:
            if is_probe and not self._may_ask_by_address(authorization):
                return None
            if (scope["method"], path) not in _BY_ADDRESS or not self._may_ask_by_address(authorization):
                self._audit.note("refused", address=address, how="request", reason=denied.reason)
                return ErrorCode.FORBIDDEN, denied.reason
            cookie = None
        reason = "credentials are needed: Authorization: Bearer TOKEN, or the login cookie"
        try:
            user = scope.get(PROXY_USER)
            if user is not None:
                scope[PRINCIPAL] = self._access.by_proxy(user)
            else:
                scope[PRINCIPAL] = self._access.by_headers(authorization, cookie, address, scheme)
        except TooManyFailures as denied:
            self._audit.note("refused", address=address, how="request", reason=denied.reason)
            if is_probe:
                return None
            return ErrorCode.RATE_LIMIT, denied.reason
        except Denied as denied:
            if isinstance(denied, TryAgain) and not again:
                raise
            reason = denied.reason
            self._audit.note("refused", address=address, how="request", reason=reason)
        if self._settings.oidc is not None and (scope["method"], path) in _OPEN_LOGIN:
            return None
        if scope[PRINCIPAL] is None and not _is_open(scope["method"], path):
            return ErrorCode.AUTHENTICATION_FAILED, reason
        return None

    def _may_ask_by_address(self, authorization: str | None) -> bool:
        """Whether a token is there to be checked; where there are none, any page could ask under a name of its own."""
        return authorization is not None and self._settings.has_authentication


def _strict_transport(settings: Settings) -> tuple[bytes, bytes] | None:
    """What tells browsers to use nothing but https for this host (RFC 6797), if anything."""
    if not (settings.is_https and settings.hsts_seconds):
        return None
    return b"strict-transport-security", b"max-age=%d" % settings.hsts_seconds


def _is_localhost(scope: Scope) -> bool:
    """Whether a browser takes this host for its own machine, on whose other ports plain HTTP is served."""
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return host.lower().partition(b":")[0] == b"localhost"


def compat_paths(settings: Settings) -> list[tuple[str, Scheme]]:
    """What the paths of ttyd and Jupyter begin with below the base path, and how their clients authenticate."""
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
    if status == HTTPStatus.UNAUTHORIZED:
        # A browser asks its user only where Basic is offered, which only ttyd's clients need.
        headers.append((b"www-authenticate", b'Basic realm="web-terminal"' if scheme == "basic" else b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
