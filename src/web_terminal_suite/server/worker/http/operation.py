"""A REST operation as a value, and the ASGI endpoint that answers with the operations of one path.

Knows bodies, queries and statuses; not what an operation does, nor which users may call it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.types import Receive, Scope, Send

    from web_terminal_suite.server.worker.context import WorkerContext

CONTEXT = "web_terminal_suite.context"
"""The scope's key under which handlers find the context of their worker."""

BODY_BYTES = 10_000_000
_JSON = "application/json"


class Operation(msgspec.Struct, frozen=True):
    """One row of the route table: its method and path, its handler, and its entry in the OpenAPI document.

    ``handler`` is called with the request, and with the decoded ``body`` or ``query`` where there is one. What it
    returns is the answer's body, or a whole ``Response``.
    """

    method: str
    path: str
    """Below the place where the table is mounted; ``{name}`` is a parameter."""
    handler: Callable[..., Awaitable[Any]]
    summary: str
    result: Any = None
    status: int = 200
    body: Any = None
    """The type of the request's body; with ``| None`` it may be left out."""
    query: type[msgspec.Struct] | None = None
    errors: tuple[int, ...] = ()
    """Statuses of refusals, beyond those that any request may meet."""
    media_type: str = _JSON
    body_bytes: int = BODY_BYTES
    """The largest body."""


class JSONResponse(Response):
    """An answer of any type that msgspec encodes."""

    media_type = _JSON

    def render(self, content: Any) -> bytes:
        return msgspec.json.encode(content)


class Endpoint:
    """The ASGI application of one path."""

    def __init__(self, context: WorkerContext, operations: Sequence[Operation]) -> None:
        self._context = context
        self._operations = {each.method: each for each in operations}
        self._allow = {"allow": ", ".join(sorted([*self._operations, "OPTIONS"]))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            HTTPException: the method is not allowed, or the body too large.
            msgspec.DecodeError: the body or the query is not what the operation takes.
        """
        scope[CONTEXT] = self._context
        request = Request(scope, receive)
        operation = self._operations.get(request.method)
        if operation is not None:
            response = await _answer(operation, request)
        elif request.method == "OPTIONS":
            response = Response(status_code=204, headers=self._allow)
        else:
            raise HTTPException(405, headers=self._allow)
        await response(scope, receive, send)


async def _answer(operation: Operation, request: Request) -> Response:
    arguments = []
    if operation.body is not None:
        arguments.append(_decoded(await _received(request, operation.body_bytes), operation.body))
    if operation.query is not None:
        arguments.append(msgspec.convert(dict(request.query_params), operation.query, strict=False))
    result = await operation.handler(request, *arguments)
    if isinstance(result, Response):
        return result
    if result is None:
        return Response(status_code=operation.status)
    return JSONResponse(result, operation.status)


def _decoded(body: bytes, kind: Any) -> Any:
    if body:
        return msgspec.json.decode(body, type=kind)
    try:
        return msgspec.convert(None, kind)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError("a body is required") from error


async def _received(request: Request, limit: int) -> bytes:
    too_large = HTTPException(413, f"a body of more than {limit} bytes")
    if int(request.headers.get("content-length", 0)) > limit:
        raise too_large
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise too_large
    return bytes(body)
