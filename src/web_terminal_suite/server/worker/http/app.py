"""The HTTP application: Litestar with the API and the page, behind the gate."""

from __future__ import annotations

import logging
import pathlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from litestar import Litestar, MediaType, Request, Response, Router, get
from litestar.datastructures import State
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.static_files import create_static_files_router

from web_terminal_suite import __version__
from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.errors import Malformed, TheirError
from web_terminal_suite.server.worker.http import api, jupyter, ttyd
from web_terminal_suite.server.worker.http.auth_middleware import gate

if TYPE_CHECKING:
    from web_terminal_suite.server.settings import Settings
    from web_terminal_suite.server.worker.context import WorkerContext
    from web_terminal_suite.server.worker.http.auth_middleware import Application

log = logging.getLogger("web_terminal_suite.worker")

PAGE = pathlib.Path(__file__).parents[1] / "page"


def application(context: WorkerContext) -> Application:
    """The ASGI application of one worker."""
    base = context.settings.base_path
    app = Litestar(
        route_handlers=[
            Router(path=f"{base}/api/v1", route_handlers=list(api.HANDLERS)),
            *_foreign(context.settings),
            *_page(base),
        ],
        state=State({"context": context}),
        openapi_config=OpenAPIConfig(
            title="web-terminal",
            version=__version__,
            # The whole path, for below it Litestar answers everything else with a page of HTML.
            path=f"{base}/api/v1/openapi.json",
            render_plugins=[JsonRenderPlugin(path="/")],
            components=Components(
                security_schemes={
                    "token": SecurityScheme(type="http", scheme="bearer"),
                    "cookie": SecurityScheme(
                        type="apiKey", name=context.access.cookie_name, security_scheme_in="cookie"
                    ),
                }
            ),
            security=[{"token": []}, {"cookie": []}],
        ),
        exception_handlers={
            TheirError: _their_error,
            ValidationException: _invalid,
            HTTPException: _http_error,
            RecursionError: _too_deep,
            Exception: _our_error,
        },
    )
    return gate(app, context.access, context.settings)


def _foreign(settings: Settings) -> list[Router]:
    """What the pages of ttyd and Jupyter ask for over HTTP."""
    found = [(settings.ttyd_path, ttyd.HANDLERS), (settings.terminado_path, jupyter.HANDLERS)]
    return [Router(path=settings.base_path + path, route_handlers=list(handlers)) for path, handlers in found if path]


def _page(base: str) -> list[Any]:
    if not (PAGE / "index.html").exists():
        return [get(base or "/", sync_to_thread=False, include_in_schema=False)(_not_built)]
    # The page is named by its directory too, so that relative references resolve: /term becomes /term/.
    files = create_static_files_router(
        path=base or "/", directories=[PAGE], html_mode=True, include_in_schema=False, name="page"
    )
    return [files]


def _not_built() -> Response[str]:
    text = "the page is not built; build it with: pip install --force-reinstall --no-deps ."
    return Response(text, status_code=503, media_type=MediaType.TEXT)


def _problem(status: int, code: str, message: str) -> Response[api.Problem]:
    return Response(api.Problem(code, message), status_code=status)


def _their_error(_request: Request[Any, Any, Any], error: TheirError) -> Response[api.Problem]:
    return _problem(error.status, error.code, error.message)


def _invalid(_request: Request[Any, Any, Any], error: ValidationException) -> Response[api.Problem]:
    details = error.extra if isinstance(error.extra, list) else []
    text = "; ".join(f"{each.get('key', 'body')}: {each.get('message')}" for each in details if isinstance(each, dict))
    return _their_error(_request, Malformed(text or error.detail))


def _http_error(_request: Request[Any, Any, Any], error: HTTPException) -> Response[api.Problem]:
    return _problem(error.status_code, HTTPStatus(error.status_code).name.lower(), error.detail)


def _too_deep(_request: Request[Any, Any, Any], _error: RecursionError) -> Response[api.Problem]:
    return _their_error(_request, Malformed("JSON nested too deeply"))


def _our_error(_request: Request[Any, Any, Any], error: Exception) -> Response[api.Problem]:
    log.error("request failed", exc_info=error)
    return _their_error(_request, TheirError(ErrorCode.INTERNAL_ERROR, "the server failed; its log says more"))
