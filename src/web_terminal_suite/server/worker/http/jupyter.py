"""Jupyter's terminals over HTTP: sessions by name, which outlive their connections."""

from __future__ import annotations

import datetime
import os
import time
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.errors import TheirError
from web_terminal_suite.protocol.messages import SessionSpec
from web_terminal_suite.server import ipc
from web_terminal_suite.server.worker.http.api import context_of, grant_of, login_cookie, who_asks

if TYPE_CHECKING:
    from web_terminal_suite.server.settings import Settings

_LIVE = ("starting", "running", "ending")
_PAGE = 1000


class Terminal(msgspec.Struct, frozen=True):
    """A session as Jupyter speaks of it. ``name`` is the session's id."""

    name: str
    last_activity: str


class NewTerminal(msgspec.Struct, frozen=True):
    """What JupyterLab asks for; whatever else it may say is passed over. ``cwd`` may be relative to ours."""

    name: str | None = None
    cwd: str | None = None


def _terminal(facts: ipc.SessionInfo) -> Terminal:
    seen = datetime.datetime.fromtimestamp(time.time() - facts.idle_seconds, datetime.UTC)
    return Terminal(facts.id, seen.isoformat(timespec="microseconds").replace("+00:00", "Z"))


async def _live(request: Request[Any, Any, Any], name: str) -> ipc.SessionInfo:
    told: ipc.InfoReply = (
        await context_of(request).hosts.of(name).ask(ipc.GetSession, who=who_asks(request), session=name)
    )
    if told.facts.state not in _LIVE:
        raise TheirError(ErrorCode.NO_SUCH_SESSION, f"session {name} has ended")
    return told.facts


def _directory(settings: Settings, cwd: str | None) -> str | None:
    """Where a new shell is to start; ``None``, which is the usual place, where there is no such directory."""
    if not cwd or "\0" in cwd:
        return None
    place = os.path.join(settings.cwd or os.path.expanduser("~"), cwd)
    return place if os.path.isdir(place) else None


def _remembered(request: Request[Any, Any, Any]) -> list[Cookie]:
    """A login for whoever sent a token: JupyterLab sends it over HTTP and expects a cookie to open its WebSocket."""
    settings = context_of(request).settings
    if "authorization" not in request.headers or not settings.has_authentication:
        return []
    return [login_cookie(request, grant_of(request))]


@get("/api/terminals", summary="List terminals, as Jupyter does")
async def list_terminals(request: Request[Any, Any, Any]) -> Response[list[Terminal]]:
    found: list[Terminal] = []
    after: str | None = None
    while True:
        listed = await context_of(request).hosts.list(who_asks(request), _PAGE, after)
        found += [_terminal(facts) for facts in listed.sessions if facts.state in _LIVE]
        after = listed.next
        if after is None:
            return Response(found, cookies=_remembered(request))


@post("/api/terminals", status_code=200, summary="Create a terminal, as Jupyter does")
async def create_terminal(request: Request[Any, Any, Any], data: NewTerminal | None = None) -> Response[Terminal]:
    context = context_of(request)
    asked = data or NewTerminal()
    spec = SessionSpec(name=asked.name or None, cwd=_directory(context.settings, asked.cwd))
    facts = await context.hosts.create_detached(who_asks(request), spec)
    return Response(_terminal(facts), cookies=_remembered(request), status_code=200)


@get("/api/terminals/{name:str}", summary="Read a terminal, as Jupyter does")
async def read_terminal(request: Request[Any, Any, Any], name: str) -> Terminal:
    return _terminal(await _live(request, name))


@delete("/api/terminals/{name:str}", status_code=204, summary="End a terminal, as Jupyter does")
async def delete_terminal(request: Request[Any, Any, Any], name: str) -> None:
    facts = await _live(request, name)
    await context_of(request).hosts.of(name).ask(ipc.DestroySession, who=who_asks(request), session=facts.id)


HANDLERS = [list_terminals, create_terminal, read_terminal, delete_terminal]
