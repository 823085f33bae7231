"""The built page, as files."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import NotModifiedResponse, StaticFiles

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Scope

_NOT_BUILT = "the page is not built; build it with: pip install --force-reinstall --no-deps ."
PAGE = pathlib.Path(__file__).parents[2] / "page"


def page_routes(base: str) -> list[BaseRoute]:
    """Routes of the page; if it was not built, one that explains how to build it."""
    # A response is an ASGI application: of any method here.
    if not (PAGE / "index.html").exists():
        return [Route(f"{base}/", PlainTextResponse(_NOT_BUILT, 503))]
    files = Mount(base, _PageFiles(directory=PAGE, html=True))
    return [Route(base, _to_directory), files] if base else [files]


async def _to_directory(request: Request) -> Response:
    """The page's references are relative to its directory. A link's query names the session."""
    query = f"?{request.url.query}" if request.url.query else ""
    return Response(status_code=307, headers={"location": f"{request.scope['path']}/{query}"})


class _PageFiles(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] == "OPTIONS":
            return Response(status_code=204, headers={"allow": "GET, HEAD, OPTIONS"})
        return await super().get_response(path, scope)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        if not isinstance(response, NotModifiedResponse):
            response.headers["content-disposition"] = f'inline; filename="{os.path.basename(full_path)}"'
        return response
