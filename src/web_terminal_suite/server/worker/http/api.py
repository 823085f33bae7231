"""REST under ``/api/v1``: sessions, login, health, metrics. Each handler asks the host and formats its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.datastructures import Cookie
from litestar.params import Parameter

from web_terminal_suite import __version__
from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.errors import TheirError
from web_terminal_suite.protocol.messages import SessionSpec
from web_terminal_suite.protocol.signals import signal_number
from web_terminal_suite.server import ipc
from web_terminal_suite.server.access import Denied, Principal, TooManyFailures
from web_terminal_suite.server.ipc import SessionInfo
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.http.auth_middleware import GRANT
from web_terminal_suite.server.worker.http.metrics import exposition

if TYPE_CHECKING:
    from web_terminal_suite.server.worker.context import WorkerContext

_PAGE_LIMIT = 1000


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: str


class Me(msgspec.Struct, frozen=True):
    user: str
    role: str


class SessionPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a session; sizes in character cells."""

    name: str | None = None
    cols: int | None = None
    rows: int | None = None


class SignalName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


class SessionPage(msgspec.Struct, frozen=True):
    """Some of the sessions; ``next`` is what ``after`` must be for the following ones."""

    sessions: tuple[SessionInfo, ...]
    total: int
    next: str | None


class Health(msgspec.Struct, frozen=True):
    status: str
    version: str


class Problem(msgspec.Struct, frozen=True):
    """The body of every answer that is not a success."""

    code: str
    message: str


def context_of(request: Request[Any, Any, Any]) -> WorkerContext:
    """What requests share with all connections of this worker."""
    context: WorkerContext = request.app.state["context"]
    return context


def grant_of(request: Request[Any, Any, Any]) -> Principal:
    """What whoever asks may do."""
    grant: Principal = request.scope[GRANT]  # type: ignore[literal-required]  # set by the gate
    return grant


def who_asks(request: Request[Any, Any, Any]) -> ipc.Caller:
    """On whose behalf the host is asked."""
    grant = grant_of(request)
    return ipc.Caller(grant.user, grant.role)


def _check_size(context: WorkerContext, cols: int | None, rows: int | None) -> None:
    settings = context.settings
    for name, value, limit in (("cols", cols, settings.max_cols), ("rows", rows, settings.max_rows)):
        if value is not None and not 1 <= value <= limit:
            raise TheirError(ErrorCode.OUT_OF_RANGE, f"{name} = {value} is out of range: 1 to {limit}")


@post("/login", status_code=200, summary="Exchange a token for a cookie")
async def login(request: Request[Any, Any, Any], data: Login) -> Response[Me]:
    context = context_of(request)
    access = context.access
    address = request.client.host if request.client else ""
    try:
        grant = access.try_token(data.token, address)
    except TooManyFailures as denied:
        raise TheirError(ErrorCode.RATE_LIMIT, denied.reason) from denied
    except Denied as denied:
        context.counters.row[Counters.AUTHENTICATIONS_FAILED] += 1
        raise TheirError(ErrorCode.AUTHENTICATION_FAILED, denied.reason) from denied
    return Response(Me(grant.user, grant.role), cookies=[login_cookie(request, grant)])


def login_cookie(request: Request[Any, Any, Any], grant: Principal) -> Cookie:
    """What a browser keeps instead of the token."""
    context = context_of(request)
    return Cookie(
        key=context.access.cookie_name,
        value=context.access.cookie(grant),
        path=context.settings.base_path or "/",
        max_age=context.settings.login_seconds,
        httponly=True,
        samesite="strict",
        secure=_is_https(request),
    )


def _is_https(request: Request[Any, Any, Any]) -> bool:
    """Whether the browser came over TLS; behind a proxy its page's origin says so."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")


@post("/logout", status_code=204, summary="Forget the cookie")
async def logout(request: Request[Any, Any, Any]) -> Response[None]:
    context = context_of(request)
    response: Response[None] = Response(None, status_code=204)
    response.delete_cookie(context.access.cookie_name, path=context.settings.base_path or "/")
    return response


@get("/me", summary="Who these credentials are")
async def me(request: Request[Any, Any, Any]) -> Me:
    who = who_asks(request)
    return Me(who.user, who.role)


@post("/sessions", summary="Create a session")
async def create_session(request: Request[Any, Any, Any], data: SessionSpec | None = None) -> SessionInfo:
    context = context_of(request)
    spec = data or SessionSpec()
    _check_size(context, spec.cols, spec.rows)
    return await context.hosts.create_detached(who_asks(request), spec)


@get("/sessions", summary="List sessions")
async def list_sessions(
    request: Request[Any, Any, Any],
    limit: Annotated[int, Parameter(ge=1, le=_PAGE_LIMIT)] = 100,
    after: str | None = None,
) -> SessionPage:
    answer = await context_of(request).hosts.list(who_asks(request), limit, after)
    return SessionPage(answer.sessions, answer.total, answer.next)


@get("/sessions/{id:str}", summary="Read a session")
async def read_session(request: Request[Any, Any, Any], id: str) -> SessionInfo:
    told: ipc.InfoReply = await context_of(request).hosts.of(id).ask(ipc.GetSession, who=who_asks(request), session=id)
    return told.facts


@patch("/sessions/{id:str}", summary="Rename or resize a session")
async def change_session(request: Request[Any, Any, Any], id: str, data: SessionPatch) -> SessionInfo:
    context = context_of(request)
    _check_size(context, data.cols, data.rows)
    told: ipc.InfoReply = await context.hosts.of(id).ask(
        ipc.UpdateSession, who=who_asks(request), session=id, name=data.name, cols=data.cols, rows=data.rows
    )
    return told.facts


@post("/sessions/{id:str}/touch", status_code=200, summary="Restart a session's idle clock")
async def touch_session(request: Request[Any, Any, Any], id: str) -> SessionInfo:
    told: ipc.InfoReply = (
        await context_of(request).hosts.of(id).ask(ipc.TouchSession, who=who_asks(request), session=id)
    )
    return told.facts


@post("/sessions/{id:str}/signal", status_code=204, summary="Signal the foreground process group")
async def signal_session(request: Request[Any, Any, Any], id: str, data: SignalName) -> None:
    number = signal_number(data.name)
    await context_of(request).hosts.of(id).ask(ipc.SignalSession, who=who_asks(request), session=id, number=number)


@delete("/sessions/{id:str}", status_code=204, summary="End a session; answers when its shell is reaped")
async def delete_session(request: Request[Any, Any, Any], id: str) -> None:
    await context_of(request).hosts.of(id).ask(ipc.DestroySession, who=who_asks(request), session=id)


@get("/health", summary="Whether this server takes sessions")
async def health(request: Request[Any, Any, Any]) -> Response[Health]:
    stopping = context_of(request).leaving is not None
    return Response(Health("stopping" if stopping else "ok", __version__), status_code=503 if stopping else 200)


@get("/metrics", summary="Prometheus metrics", media_type="text/plain; version=0.0.4; charset=utf-8")
async def metrics(request: Request[Any, Any, Any]) -> bytes:
    context = context_of(request)
    return exposition(await context.hosts.count(), context.counters.totals())


HANDLERS = [
    login, logout, me, create_session, list_sessions, read_session, change_session, touch_session,
    signal_session, delete_session, health, metrics,
]  # fmt: skip
