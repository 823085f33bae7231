"""The one table of errors: what each code means to a WebSocket and to REST.

REST and WebSocket read the same row, and there is no default: an error cannot be made with a code that has no row.
``docs/protocol.md`` shows the table, and ``tests/protocol/test_error_codes.py`` compares both.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final, NamedTuple


class CloseCode(IntEnum):
    """Why a connection ended: RFC 6455 section 7.4.1 below 4000, ours from 4000 up.

    What goes with an error is in ``CONSEQUENCES``. The others are chosen where a connection ends: by the
    protocols, and by the worker when it leaves.
    """

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_TEXT = 1007
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    AUTHENTICATION_FAILED = 4000
    SESSION_EXPIRED = 4001
    RATE_LIMIT = 4002
    FORBIDDEN = 4003
    MALFORMED = 4400
    NO_SUCH_SESSION = 4404
    ILLEGAL_IN_STATE = 4409
    SESSION_LOST = 4410
    SESSION_LIMIT = 4429
    SPAWN_FAILED = 4500
    DRAINING = 4503


class ErrorCode(StrEnum):
    """The ``code`` of an ``error`` message and of a REST error."""

    # What a client sent is not of the protocol.
    BAD_REQUEST = "bad_request"
    MALFORMED_MESSAGE = "malformed_message"
    INVALID_UTF8 = "invalid_utf8"
    UNSUPPORTED_DATA = "unsupported_data"
    MESSAGE_TOO_BIG = "message_too_big"
    ILLEGAL_IN_STATE = "illegal_in_state"
    # A value cannot be used as it is.
    OUT_OF_RANGE = "out_of_range"
    REQUEST_TOO_BIG = "request_too_big"
    UNKNOWN_SIGNAL = "unknown_signal"
    READ_ONLY = "read_only"
    INPUT_OVERFLOW = "input_overflow"
    INPUT_KEY_IN_USE = "input_key_in_use"
    # Who the client is, and what it may do.
    AUTHENTICATION_REQUIRED = "authentication_required"
    AUTHENTICATION_TIMEOUT = "authentication_timeout"
    AUTHENTICATION_FAILED = "authentication_failed"
    FORBIDDEN = "forbidden"
    RATE_LIMIT = "rate_limit"
    # Sessions.
    NO_SUCH_SESSION = "no_such_session"
    SESSION_EXPIRED = "session_expired"
    SESSION_LOST = "session_lost"
    SESSION_LIMIT = "session_limit"
    KEY_IN_USE = "key_in_use"
    # The shell cannot be started as asked.
    SHELL_NOT_FOUND = "shell_not_found"
    SHELL_NOT_EXECUTABLE = "shell_not_executable"
    BAD_DIRECTORY = "bad_directory"
    BAD_ARGUMENT = "bad_argument"
    BAD_ENVIRONMENT = "bad_environment"
    BAD_LIMIT = "bad_limit"
    ENVIRONMENT_TOO_BIG = "environment_too_big"
    SPAWN_FAILED = "spawn_failed"
    # The server is out of something, stops, or failed.
    NO_PTY = "no_pty"
    NO_MEMORY = "no_memory"
    NO_PROCESS = "no_process"
    NO_DESCRIPTOR = "no_descriptor"
    HOST_LOST = "host_lost"
    NO_ANSWER = "no_answer"
    GOING_AWAY = "going_away"
    DRAINING = "draining"
    INTERNAL_ERROR = "internal_error"


class Consequence(NamedTuple):
    """What an error leads to. ``close`` is ``None`` where a WebSocket stays open."""

    close: CloseCode | None
    status: int

    @property
    def fatal(self) -> bool:
        """Whether the error ends a WebSocket."""
        return self.close is not None


_INVALID = 422
_CANNOT_START = Consequence(CloseCode.SPAWN_FAILED, _INVALID)
_EXHAUSTED = Consequence(CloseCode.TRY_AGAIN_LATER, 503)
_NOT_AUTHENTICATED = Consequence(CloseCode.AUTHENTICATION_FAILED, 401)

CONSEQUENCES: Final[dict[ErrorCode, Consequence]] = {
    ErrorCode.BAD_REQUEST: Consequence(CloseCode.MALFORMED, 400),
    ErrorCode.MALFORMED_MESSAGE: Consequence(CloseCode.MALFORMED, _INVALID),
    ErrorCode.INVALID_UTF8: Consequence(CloseCode.INVALID_TEXT, _INVALID),
    ErrorCode.UNSUPPORTED_DATA: Consequence(CloseCode.UNSUPPORTED_DATA, 415),
    ErrorCode.MESSAGE_TOO_BIG: Consequence(CloseCode.MESSAGE_TOO_BIG, 413),
    ErrorCode.ILLEGAL_IN_STATE: Consequence(CloseCode.ILLEGAL_IN_STATE, 409),
    ErrorCode.OUT_OF_RANGE: Consequence(None, _INVALID),
    ErrorCode.REQUEST_TOO_BIG: Consequence(None, 413),
    ErrorCode.UNKNOWN_SIGNAL: Consequence(None, _INVALID),
    ErrorCode.READ_ONLY: Consequence(None, 403),
    ErrorCode.INPUT_OVERFLOW: Consequence(None, 429),
    ErrorCode.INPUT_KEY_IN_USE: Consequence(CloseCode.ILLEGAL_IN_STATE, 409),
    ErrorCode.AUTHENTICATION_REQUIRED: _NOT_AUTHENTICATED,
    ErrorCode.AUTHENTICATION_TIMEOUT: _NOT_AUTHENTICATED,
    ErrorCode.AUTHENTICATION_FAILED: _NOT_AUTHENTICATED,
    ErrorCode.FORBIDDEN: Consequence(CloseCode.FORBIDDEN, 403),
    ErrorCode.RATE_LIMIT: Consequence(CloseCode.RATE_LIMIT, 429),
    ErrorCode.NO_SUCH_SESSION: Consequence(CloseCode.NO_SUCH_SESSION, 404),
    ErrorCode.SESSION_EXPIRED: Consequence(CloseCode.SESSION_EXPIRED, 410),
    ErrorCode.SESSION_LOST: Consequence(CloseCode.SESSION_LOST, 410),
    ErrorCode.SESSION_LIMIT: Consequence(CloseCode.SESSION_LIMIT, 429),
    ErrorCode.KEY_IN_USE: Consequence(None, 409),
    ErrorCode.SHELL_NOT_FOUND: _CANNOT_START,
    ErrorCode.SHELL_NOT_EXECUTABLE: _CANNOT_START,
    ErrorCode.BAD_DIRECTORY: _CANNOT_START,
    ErrorCode.BAD_ARGUMENT: _CANNOT_START,
    ErrorCode.BAD_ENVIRONMENT: _CANNOT_START,
    ErrorCode.BAD_LIMIT: _CANNOT_START,
    ErrorCode.ENVIRONMENT_TOO_BIG: _CANNOT_START,
    ErrorCode.SPAWN_FAILED: _CANNOT_START,
    ErrorCode.NO_PTY: _EXHAUSTED,
    ErrorCode.NO_MEMORY: _EXHAUSTED,
    ErrorCode.NO_PROCESS: _EXHAUSTED,
    ErrorCode.NO_DESCRIPTOR: _EXHAUSTED,
    ErrorCode.HOST_LOST: _EXHAUSTED,
    ErrorCode.NO_ANSWER: _EXHAUSTED,
    ErrorCode.GOING_AWAY: Consequence(CloseCode.GOING_AWAY, 503),
    ErrorCode.DRAINING: Consequence(CloseCode.DRAINING, 503),
    ErrorCode.INTERNAL_ERROR: Consequence(CloseCode.INTERNAL_ERROR, 500),
}
