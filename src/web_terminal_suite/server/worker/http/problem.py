"""Refusals as answers: what went wrong on the way to an answer, as status, code and text."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.errors import Malformed, TheirError
from web_terminal_suite.server.worker.http.operation import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ExceptionHandler

log = logging.getLogger("web_terminal_suite.worker")


class Problem(msgspec.Struct, frozen=True):
    """The body of every answer that is not a success."""

    code: str
    message: str


def _problem(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(Problem(code, message), status, headers)


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, TheirError)  # registered for it
    return _problem(error.status, error.code, error.message)


def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, HTTPStatus(error.status_code).name.lower(), error.detail, error.headers)


def _not_json(request: Request, error: Exception) -> Response:
    return _refused(request, TheirError(ErrorCode.BAD_REQUEST, str(error)))


def _invalid(request: Request, error: Exception) -> Response:
    # msgspec writes: Expected `int`, got `str` - at `$.cols`
    text, _, place = str(error).partition(" - at `$.")
    return _refused(request, Malformed(f"{place.removesuffix('`') or 'data'}: {text}"))


def _too_deep(request: Request, _error: Exception) -> Response:
    return _refused(request, Malformed("JSON nested too deeply"))


def _gone(request: Request, _error: Exception) -> Response:
    return _refused(request, TheirError(ErrorCode.BAD_REQUEST, "the request ended early"))


def _failed(request: Request, error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return _refused(request, TheirError(ErrorCode.INTERNAL_ERROR, "the server failed; see its log"))


HANDLERS: dict[type[Exception], ExceptionHandler] = {
    TheirError: _refused,
    HTTPException: _http_error,
    msgspec.DecodeError: _not_json,
    msgspec.ValidationError: _invalid,
    RecursionError: _too_deep,
    ClientDisconnect: _gone,
    Exception: _failed,
}
"""The response to each class of exception; the nearest class counts."""
