"""The HTTP application: the route tables of the API and of other protocols, and the page, behind authentication."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from web_terminal_suite import __version__
from web_terminal_suite.server.worker.http import api, jupyter, oidc, problem, ttyd
from web_terminal_suite.server.worker.http.auth_middleware import AuthMiddleware
from web_terminal_suite.server.worker.http.operation import Endpoint, Operation
from web_terminal_suite.server.worker.http.page import page_routes

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from web_terminal_suite.server.settings import Settings
    from web_terminal_suite.server.worker.context import WorkerContext


_OPENAPI = "application/vnd.oai.openapi+json"


def application(context: WorkerContext) -> ASGIApp:
    """The ASGI application of one worker."""
    base = context.settings.base_path
    tables = _tables(context.settings)

    async def openapi(_request: Request) -> Response:
        return Response(_document(context, tables), media_type=_OPENAPI)

    document = Operation("GET", f"{base}/api/v1/openapi.json", openapi, "This document")
    operations = [document, *(msgspec.structs.replace(each, path=path + each.path) for path, each in tables)]
    # What is not found below the API is not looked for among the page's files.
    closed = [Mount(path, _not_found) for path in sorted({f"{base}/api", *(path for path, _ in tables)})]
    routes = [*_routes(context, operations), *closed, *page_routes(base)]
    router = Router(routes, redirect_slashes=False, default=_not_found)
    handled = ExceptionMiddleware(router, problem.HANDLERS)
    return AuthMiddleware(handled, context.access, context.audit, context.settings)


def _tables(settings: Settings) -> list[tuple[str, Operation]]:
    """Every operation with the path it is mounted at; those of ttyd and Jupyter where their protocols are on."""
    found: list[tuple[str, tuple[Operation, ...]]] = [("/api/v1", api.OPERATIONS)]
    if settings.oidc is not None:
        found.append(("/api/v1", oidc.OPERATIONS))
    if settings.ttyd_path:
        found.append((settings.ttyd_path, ttyd.OPERATIONS))
    if settings.terminado_path:
        found.append((settings.terminado_path, jupyter.OPERATIONS))
    return [(settings.base_path + path, each) for path, operations in found for each in operations]


def _routes(context: WorkerContext, operations: list[Operation]) -> list[Route]:
    """A route for each path; with a slash at the end it is the same one."""
    routes = []
    for path, each in groupby(sorted(operations, key=attrgetter("path")), key=attrgetter("path")):
        endpoint = Endpoint(context, tuple(each))
        routes += [Route(path, endpoint), Route(f"{path}/", endpoint)]
    return routes


def _document(context: WorkerContext, tables: list[tuple[str, Operation]]) -> bytes:
    # Imported here: most workers never write the document.
    from web_terminal_suite.server.worker.http.openapi import document

    schemes: dict[str, dict[str, Any]] = {
        "token": {"type": "http", "scheme": "bearer"},
        "cookie": {"type": "apiKey", "name": context.access.cookie_name, "in": "cookie"},
    }
    return msgspec.json.encode(document(tables, "web-terminal", __version__, schemes))


async def _not_found(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise HTTPException(404)
