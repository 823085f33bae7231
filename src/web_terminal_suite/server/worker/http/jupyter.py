"""Jupyter's terminals over HTTP: sessions by name, which outlive their connections."""

from __future__ import annotations

import datetime
import os
import time
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.errors import TheirError
from web_terminal_suite.protocol.messages import SessionSpec
from web_terminal_suite.server import environment, ipc, launch
from web_terminal_suite.server.worker.http.api import caller_of, context_of, principal_of, set_login_cookie
from web_terminal_suite.server.worker.http.operation import JSONResponse, Operation

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from web_terminal_suite.server.settings import Settings

_LIVE = ("starting", "running", "ending")
_PAGE = 1000


class JupyterTerminal(msgspec.Struct, frozen=True):
    """A session as Jupyter describes it. ``name`` is the session's id."""

    name: str
    last_activity: str


class NewTerminal(msgspec.Struct, frozen=True):
    """What JupyterLab asks for; other fields are ignored. ``cwd`` may be relative to ours."""

    name: str | None = None
    cwd: str | None = None


def _terminal(info: ipc.SessionInfo) -> JupyterTerminal:
    seen = datetime.datetime.fromtimestamp(time.time() - info.idle_seconds, datetime.UTC)
    return JupyterTerminal(info.id, seen.isoformat(timespec="microseconds").replace("+00:00", "Z"))


async def _live(request: Request) -> ipc.SessionInfo:
    name = request.path_params["name"]
    reply: ipc.InfoReply = (
        await context_of(request).hosts.of(name).ask(ipc.GetSession, caller=caller_of(request), session=name)
    )
    if reply.info.state not in _LIVE:
        raise TheirError(ErrorCode.NO_SUCH_SESSION, f"session {name} has ended")
    return reply.info


def _home(settings: Settings) -> str:
    return environment.home(settings, launch.public_environment(), environment.account())


def _directory(settings: Settings, cwd: str | None) -> str | None:
    """Where a new shell is to start; ``None``, which is the usual place, where there is no such directory."""
    if not cwd or "\0" in cwd:
        return None
    place = os.path.join(settings.cwd or _home(settings), cwd)
    return place if os.path.isdir(place) else None


def _with_login(request: Request, response: Response) -> Response:
    """``response`` with the login cookie where the request has a token.

    JupyterLab sends its token over HTTP and expects a cookie to open its WebSocket.
    """
    if "authorization" in request.headers and context_of(request).settings.has_authentication:
        set_login_cookie(request, response, principal_of(request))
    return response


async def list_terminals(request: Request) -> Response:
    found: list[JupyterTerminal] = []
    after: str | None = None
    while True:
        listed = await context_of(request).hosts.list(caller_of(request), _PAGE, after)
        found += [_terminal(info) for info in listed.sessions if info.state in _LIVE]
        after = listed.next
        if after is None:
            return _with_login(request, JSONResponse(found))


async def create_terminal(request: Request, data: NewTerminal | None) -> Response:
    context = context_of(request)
    asked = data or NewTerminal()
    spec = SessionSpec(name=asked.name or None, cwd=_directory(context.settings, asked.cwd))
    info = await context.hosts.create_detached(caller_of(request), spec)
    return _with_login(request, JSONResponse(_terminal(info)))


async def read_terminal(request: Request) -> JupyterTerminal:
    return _terminal(await _live(request))


async def delete_terminal(request: Request) -> None:
    info = await _live(request)
    await (
        context_of(request)
        .hosts.of(info.id)
        .ask(ipc.DestroySession, seconds=None, caller=caller_of(request), session=info.id)
    )


_ALL = "/api/terminals"
_ONE = "/api/terminals/{name}"

OPERATIONS = (
    Operation("GET", _ALL, list_terminals, "List terminals, as Jupyter does", list[JupyterTerminal]),
    Operation(
        "POST", _ALL, create_terminal, "Create a terminal, as Jupyter does", JupyterTerminal, body=NewTerminal | None,
        errors=(503,),
    ),
    Operation("GET", _ONE, read_terminal, "Read a terminal, as Jupyter does", JupyterTerminal, errors=(404, 410)),
    Operation("DELETE", _ONE, delete_terminal, "End a terminal, as Jupyter does", status=204, errors=(404, 410)),
)  # fmt: skip
