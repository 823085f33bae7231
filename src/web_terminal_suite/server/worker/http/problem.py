"""Refusals as answers: what went wrong on the way to an answer, as status, code and text."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from web_terminal_suite.protocol.errors import TheirError
from web_terminal_suite.server.worker.http.operation import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ExceptionHandler

log = logging.getLogger("web_terminal_suite.worker")

_STATUS = {
    "no_such_session": 404,
    "session_expired": 410,
    "forbidden": 403,
    "session_limit": 429,
    "rate_limit": 429,
    "out_of_range": 422,
    "unknown_signal": 422,
    "message_too_big": 413,
    "authentication_failed": 401,
    "going_away": 503,
}
# Whatever else the host refuses is a shell that could not be started as asked.
_STATUS_SPAWN_FAILED = 422


class Problem(msgspec.Struct, frozen=True):
    """The body of every answer that is not a success."""

    code: str
    message: str


def status_of(error: TheirError) -> int:
    """The HTTP status that goes with an error's code."""
    return _STATUS.get(error.code, _STATUS_SPAWN_FAILED)


def _problem(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(Problem(code, message), status, headers)


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, TheirError)  # registered for it
    return _problem(status_of(error), error.code, error.message)


def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, HTTPStatus(error.status_code).name.lower(), error.detail, error.headers)


def _not_json(_request: Request, error: Exception) -> Response:
    return _problem(400, "bad_request", str(error))


def _invalid(_request: Request, error: Exception) -> Response:
    # msgspec writes: Expected `int`, got `str` - at `$.cols`
    text, _, place = str(error).partition(" - at `$.")
    return _problem(422, "malformed_message", f"{place.removesuffix('`') or 'data'}: {text}")


def _too_deep(_request: Request, _error: Exception) -> Response:
    return _problem(422, "malformed_message", "JSON nested too deeply")


def _gone(_request: Request, _error: Exception) -> Response:
    return _problem(400, "bad_request", "the request ended early")


def _failed(_request: Request, error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return _problem(500, "internal_error", "the server failed; its log says more")


HANDLERS: dict[type[Exception], ExceptionHandler] = {
    TheirError: _refused,
    HTTPException: _http_error,
    msgspec.DecodeError: _not_json,
    msgspec.ValidationError: _invalid,
    RecursionError: _too_deep,
    ClientDisconnect: _gone,
    Exception: _failed,
}
"""What an exception is answered with; the one whose class is nearest counts."""
