"""REST under ``/api/v1``: sessions, login, health, metrics. Each handler asks the host and formats its answer.

A new operation is a handler, a row of ``OPERATIONS``, a row of the table in ``docs/protocol.md``, and a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from starlette.responses import Response

from web_terminal_suite import __version__
from web_terminal_suite.protocol.errors import TheirError
from web_terminal_suite.protocol.messages import SessionSpec
from web_terminal_suite.server import ipc
from web_terminal_suite.server.access import Denied, Principal, TooManyFailures
from web_terminal_suite.server.ipc import SessionInfo
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.http.auth_middleware import GRANT
from web_terminal_suite.server.worker.http.operation import WORKER, JSONResponse, Operation
from web_terminal_suite.server.worker.native import signal_number

if TYPE_CHECKING:
    from starlette.requests import Request

    from web_terminal_suite.server.settings import Settings
    from web_terminal_suite.server.worker.main import WorkerProcess

_PAGE_LIMIT = 1000
_METRICS = "text/plain; version=0.0.4; charset=utf-8"


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


class SessionQuery(msgspec.Struct, frozen=True):
    """Which sessions are listed: ``limit`` of them, the first one after the id ``after``."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=_PAGE_LIMIT)] = 100
    after: str | None = None


class SessionPage(msgspec.Struct, frozen=True):
    """Some of the sessions; ``next`` is what ``after`` must be for the following ones."""

    sessions: tuple[SessionInfo, ...]
    total: int
    next: str | None


class Health(msgspec.Struct, frozen=True):
    status: str
    version: str


def worker_of(request: Request) -> WorkerProcess:
    """The worker that answers."""
    worker: WorkerProcess = request.scope[WORKER]
    return worker


def grant_of(request: Request) -> Principal:
    """The authenticated user that asks, and what they may do."""
    grant: Principal = request.scope[GRANT]
    return grant


def who_asks(request: Request) -> ipc.Caller:
    """On whose behalf the host is asked."""
    grant = grant_of(request)
    return ipc.Caller(grant.user, grant.role)


def _check_size(worker: WorkerProcess, cols: int | None, rows: int | None) -> None:
    settings = worker.settings
    for name, value, limit in (("cols", cols, settings.max_cols), ("rows", rows, settings.max_rows)):
        if value is not None and not 1 <= value <= limit:
            raise TheirError("out_of_range", f"{name} = {value} is out of range: 1 to {limit}")


async def login(request: Request, data: Login) -> Response:
    worker = worker_of(request)
    access = worker.access
    address = request.client.host if request.client else ""
    try:
        grant = access.try_token(data.token, address)
    except TooManyFailures as denied:
        raise TheirError("rate_limit", denied.reason) from denied
    except Denied as denied:
        worker.counters.row[Counters.AUTHENTICATIONS_FAILED] += 1
        raise TheirError("authentication_failed", denied.reason) from denied
    response = JSONResponse(Me(grant.user, grant.role))
    set_login_cookie(request, response, grant)
    return response


def set_login_cookie(request: Request, response: Response, grant: Principal) -> None:
    """Let ``response`` set what a browser keeps instead of the token."""
    worker = worker_of(request)
    response.set_cookie(
        worker.access.cookie_name,
        worker.access.cookie(grant),
        path=_cookie_path(worker.settings),
        max_age=worker.settings.login_seconds,
        httponly=True,
        samesite="strict",
        secure=_is_https(request),
    )


def _cookie_path(settings: Settings) -> str:
    return settings.base_path or "/"


def _is_https(request: Request) -> bool:
    """Whether the browser came over TLS; behind a proxy its page's origin says so."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")


async def logout(request: Request) -> Response:
    worker = worker_of(request)
    response = Response(status_code=204)
    response.delete_cookie(worker.access.cookie_name, path=_cookie_path(worker.settings))
    return response


async def me(request: Request) -> Me:
    who = who_asks(request)
    return Me(who.user, who.role)


async def create_session(request: Request, data: SessionSpec | None) -> SessionInfo:
    worker = worker_of(request)
    spec = data or SessionSpec()
    _check_size(worker, spec.cols, spec.rows)
    return await worker.hosts.make(who_asks(request), spec)


async def list_sessions(request: Request, query: SessionQuery) -> SessionPage:
    answer = await worker_of(request).hosts.list(who_asks(request), query.limit, query.after)
    return SessionPage(answer.sessions, answer.total, answer.next)


async def _ask(request: Request, question: type[Any], **fields: Any) -> Any:
    """The host's reply to ``question`` about the session that the path names."""
    session = request.path_params["id"]
    return await worker_of(request).hosts.of(session).ask(question, who=who_asks(request), session=session, **fields)


async def read_session(request: Request) -> SessionInfo:
    told: ipc.InfoReply = await _ask(request, ipc.GetSession)
    return told.facts


async def change_session(request: Request, data: SessionPatch) -> SessionInfo:
    _check_size(worker_of(request), data.cols, data.rows)
    told: ipc.InfoReply = await _ask(request, ipc.UpdateSession, name=data.name, cols=data.cols, rows=data.rows)
    return told.facts


async def touch_session(request: Request) -> SessionInfo:
    told: ipc.InfoReply = await _ask(request, ipc.TouchSession)
    return told.facts


async def signal_session(request: Request, data: SignalName) -> None:
    await _ask(request, ipc.SignalSession, number=signal_number(data.name))


async def delete_session(request: Request) -> None:
    await _ask(request, ipc.DestroySession)


async def health(request: Request) -> Response:
    stopping = worker_of(request).leaving_now
    return JSONResponse(Health("stopping" if stopping else "ok", __version__), 503 if stopping else 200)


async def metrics(request: Request) -> Response:
    # Imported here: most servers are never asked for metrics, and the library takes 2 MB of every worker.
    from web_terminal_suite.server.worker.http.metrics import exposition

    worker = worker_of(request)
    text = exposition(await worker.hosts.count(), worker.counters.totals())
    return Response(text, media_type=_METRICS)


_NO_SESSION = (404, 410)

OPERATIONS = (
    Operation("POST", "/login", login, "Exchange a token for a cookie", Me, body=Login),
    Operation("POST", "/logout", logout, "Forget the cookie", status=204),
    Operation("GET", "/me", me, "Who these credentials are", Me),
    Operation(
        "POST", "/sessions", create_session, "Create a session", SessionInfo, 201, SessionSpec | None, errors=(503,)
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
    Operation("GET", "/health", health, "Whether this server takes sessions", Health),
    Operation("GET", "/metrics", metrics, "Prometheus metrics", str, media_type=_METRICS),
)  # fmt: skip
