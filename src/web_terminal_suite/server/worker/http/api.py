"""REST under ``/api/v1``: sessions, login, metrics. Each handler asks the host and formats its answer.

A new operation is a handler, a row of ``OPERATIONS``, a row of the table in ``docs/protocol.md``, and a test.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.errors import TheirError
from web_terminal_suite.protocol.messages import SessionSpec
from web_terminal_suite.protocol.signals import signal_number
from web_terminal_suite.server import ipc, tokens_file
from web_terminal_suite.server.access import Denied, Principal, TooManyFailures
from web_terminal_suite.server.ipc import SessionInfo
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.http.auth_middleware import PRINCIPAL
from web_terminal_suite.server.worker.http.health import HOST_SECONDS
from web_terminal_suite.server.worker.http.health import OPERATIONS as HEALTH_OPERATIONS
from web_terminal_suite.server.worker.http.operation import CONTEXT, JSONResponse, Operation
from web_terminal_suite.server.worker.password_checks import is_right

if TYPE_CHECKING:
    from starlette.requests import Request

    from web_terminal_suite.server.settings import Settings
    from web_terminal_suite.server.worker.context import WorkerContext

log = logging.getLogger("web_terminal_suite.worker")

_PAGE_LIMIT = 1000
# The one body that is read of somebody who has not logged in.
_LOGIN_BYTES = 4096
_METRICS = "text/plain; version=0.0.4; charset=utf-8"


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: str


class Me(msgspec.Struct, frozen=True):
    user: str
    role: str


class UserInfo(msgspec.Struct, frozen=True):
    """A user with a role, and how many tokens and passwords are good now."""

    user: str
    role: str
    tokens: int


class TokenInfo(msgspec.Struct, frozen=True):
    """A token or password of the tokens file; times are seconds since the epoch."""

    id: str
    user: str
    role: str
    kind: str
    created: float | None
    expires: float | None


class SessionPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a session; sizes in character cells."""

    name: str | None = None
    cols: int | None = None
    rows: int | None = None


class SignalName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


class SessionQuery(msgspec.Struct, frozen=True):
    """Which sessions are listed: ``limit`` of them, the first one after the id ``after``."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=_PAGE_LIMIT)] = 100
    after: str | None = None


class SessionPage(msgspec.Struct, frozen=True):
    """Some of the sessions; ``next`` is what ``after`` must be for the following ones."""

    sessions: tuple[SessionInfo, ...]
    total: int
    next: str | None


def context_of(request: Request) -> WorkerContext:
    """What requests share with all connections of this worker."""
    context: WorkerContext = request.scope[CONTEXT]
    return context


def principal_of(request: Request) -> Principal:
    """The authenticated user that asks, and what they may do."""
    principal: Principal = request.scope[PRINCIPAL]
    return principal


def caller_of(request: Request) -> ipc.Caller:
    """The caller of a request to the host."""
    principal = principal_of(request)
    return ipc.Caller(principal.user, principal.role, address_of(request))


def address_of(request: Request) -> str:
    """Where a request came from."""
    return request.client.host if request.client else ""


def _check_size(context: WorkerContext, cols: int | None, rows: int | None) -> None:
    settings = context.settings
    for name, value, limit in (("cols", cols, settings.max_cols), ("rows", rows, settings.max_rows)):
        if value is not None and not 1 <= value <= limit:
            raise TheirError(ErrorCode.OUT_OF_RANGE, f"{name} = {value} is out of range: 1 to {limit}")


async def login(request: Request, data: Login) -> Response:
    context = context_of(request)
    access = context.access
    address = address_of(request)
    try:
        password = access.password_in(data.token)
        if password is None:
            principal = access.try_token(data.token, address)
        else:
            async with context.password_checks.turn():
                access.check_attempts(address)
                right = await is_right(password.digest, password.text)
                principal = access.by_password(password, right=right, address=address)
    except TooManyFailures as denied:
        context.audit.note("refused", address=address, how="login", reason=denied.reason)
        raise TheirError(ErrorCode.RATE_LIMIT, denied.reason) from denied
    except Denied as denied:
        context.counters.row[Counters.AUTHENTICATIONS_FAILED] += 1
        context.audit.note("refused", address=address, how="login", reason=denied.reason)
        raise TheirError(ErrorCode.AUTHENTICATION_FAILED, denied.reason) from denied
    context.audit.note("login", address=address, user=principal.user, role=principal.role, how="login")
    response = JSONResponse(Me(principal.user, principal.role))
    set_login_cookie(request, response, principal)
    return response


def set_login_cookie(request: Request, response: Response, principal: Principal) -> None:
    """Let ``response`` set what a browser keeps instead of the token."""
    context = context_of(request)
    response.set_cookie(
        context.access.cookie_name,
        context.access.cookie(principal),
        path=_cookie_path(context.settings),
        max_age=context.settings.login_seconds,
        httponly=True,
        samesite="strict",
        secure=context.settings.is_https or _is_https(request),
    )


def _cookie_path(settings: Settings) -> str:
    return settings.base_path or "/"


def _is_https(request: Request) -> bool:
    """Whether the browser came over TLS; behind a proxy, the origin of its page shows it."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")


async def logout(request: Request) -> Response:
    context, caller = context_of(request), caller_of(request)
    context.audit.note("logout", address=caller.address, user=caller.user, role=caller.role)
    context.log_out(principal_of(request))
    response = Response(status_code=204)
    # A browser ignores a cookie with a prefix of its own that is not Secure, also where it is to be deleted.
    secure = context.settings.is_https
    response.delete_cookie(context.access.cookie_name, path=_cookie_path(context.settings), secure=secure)
    return response


async def me(request: Request) -> Me:
    caller = caller_of(request)
    return Me(caller.user, caller.role)


async def create_session(request: Request, data: SessionSpec | None) -> SessionInfo:
    context = context_of(request)
    spec = data or SessionSpec()
    _check_size(context, spec.cols, spec.rows)
    return await context.hosts.create_detached(caller_of(request), spec)


async def list_sessions(request: Request, query: SessionQuery) -> SessionPage:
    answer = await context_of(request).hosts.list(caller_of(request), query.limit, query.after)
    return SessionPage(answer.sessions, answer.total, answer.next)


async def _ask(request: Request, question: type[Any], **fields: Any) -> Any:
    """The host's reply to ``question`` about the session that the path names."""
    session = request.path_params["id"]
    return (
        await context_of(request).hosts.of(session).ask(question, caller=caller_of(request), session=session, **fields)
    )


async def read_session(request: Request) -> SessionInfo:
    reply: ipc.InfoReply = await _ask(request, ipc.GetSession)
    return reply.info


async def change_session(request: Request, data: SessionPatch) -> SessionInfo:
    _check_size(context_of(request), data.cols, data.rows)
    reply: ipc.InfoReply = await _ask(request, ipc.UpdateSession, name=data.name, cols=data.cols, rows=data.rows)
    return reply.info


async def touch_session(request: Request) -> SessionInfo:
    reply: ipc.InfoReply = await _ask(request, ipc.TouchSession)
    return reply.info


async def signal_session(request: Request, data: SignalName) -> None:
    await _ask(request, ipc.SignalSession, number=signal_number(data.name))


async def delete_session(request: Request) -> None:
    await _ask(request, ipc.DestroySession, seconds=None)


async def metrics(request: Request) -> Response:
    # Imported here: most servers are never asked for metrics, and the library takes 2 MB of every worker.
    from web_terminal_suite.server.worker.http.metrics import exposition

    context = context_of(request)
    counts = await context.hosts.counts(HOST_SECONDS)
    text = exposition(counts, context.counters.totals(), context.server)
    return Response(text, media_type=_METRICS)


def _must_own(request: Request) -> None:
    if principal_of(request).role != "owner":
        raise TheirError(ErrorCode.FORBIDDEN, "only an owner may see or change who can log in")


async def list_users(request: Request) -> tuple[UserInfo, ...]:
    _must_own(request)
    roles: dict[tuple[str, str], int] = {}
    for each in context_of(request).access.credentials.all:
        if each.expires is None or each.expires > time.time():
            roles[each.user, each.role] = roles.get((each.user, each.role), 0) + 1
    return tuple(UserInfo(user, role, count) for (user, role), count in roles.items())


async def list_tokens(request: Request) -> tuple[TokenInfo, ...]:
    _must_own(request)
    stored = (each for each in context_of(request).access.credentials.all if each.id)
    return tuple(TokenInfo(each.id, each.user, each.role, each.kind, each.created, each.expires) for each in stored)


async def revoke_token(request: Request) -> None:
    _must_own(request)
    context, id = context_of(request), request.path_params["id"]
    path = context.settings.tokens_file
    try:
        # The supervisor notices that the file is another one.
        removed = await asyncio.to_thread(lambda: tokens_file.remove(path, id=id)) if path else ()
    except tokens_file.TokensFileError as error:
        log.error("token %r was not revoked: %s", id[:20], error)
        raise TheirError(ErrorCode.INTERNAL_ERROR, "the tokens file cannot be changed; see the server's log") from error
    if not removed:
        raise HTTPException(404, f"no token of the tokens file has the id {id[:20]!r}")
    caller, token = caller_of(request), removed[0]
    context.audit.note(
        "revoke", address=caller.address, user=caller.user, role=caller.role, owner=token.user, token=token.id
    )


_NO_SESSION = (404, 410)

OPERATIONS = (
    Operation("POST", "/login", login, "Exchange a token for a cookie", Me, body=Login, body_bytes=_LOGIN_BYTES),
    Operation("POST", "/logout", logout, "End the login of the cookie, and its WebSockets", status=204),
    Operation("GET", "/me", me, "Who these credentials are", Me),
    Operation(
        "POST", "/sessions", create_session, "Create a session", SessionInfo, 201, SessionSpec | None, errors=(409, 503)
    ),
    Operation("GET", "/sessions", list_sessions, "List sessions", SessionPage, query=SessionQuery),
    Operation("GET", "/sessions/{id}", read_session, "Read a session", SessionInfo, errors=_NO_SESSION),
    Operation(
        "PATCH", "/sessions/{id}", change_session, "Rename or resize a session", SessionInfo,
        body=SessionPatch, errors=_NO_SESSION,
    ),
    Operation(
        "POST", "/sessions/{id}/touch", touch_session, "Restart a session's idle clock", SessionInfo,
        errors=_NO_SESSION,
    ),
    Operation(
        "POST", "/sessions/{id}/signal", signal_session, "Signal the foreground process group",
        status=204, body=SignalName, errors=_NO_SESSION,
    ),
    Operation(
        "DELETE", "/sessions/{id}", delete_session, "End a session; answers when its shell is reaped",
        status=204, errors=_NO_SESSION,
    ),
    Operation("GET", "/users", list_users, "List who may log in, for owners", tuple[UserInfo, ...]),
    Operation("GET", "/tokens", list_tokens, "List the tokens of the tokens file, for owners", tuple[TokenInfo, ...]),
    Operation("DELETE", "/tokens/{id}", revoke_token, "Revoke a token, for owners", status=204, errors=(404,)),
    *HEALTH_OPERATIONS,
    Operation("GET", "/metrics", metrics, "Prometheus metrics", str, media_type=_METRICS),
)  # fmt: skip
