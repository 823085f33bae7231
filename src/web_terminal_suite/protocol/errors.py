"""Every error of the protocol, and the WebSocket close code each one ends a connection with.

``TheirError`` is the peer's fault and carries what the peer is told; ``OurError`` is a misuse by our own caller.
Each code has a row in ``docs/protocol.md``.
"""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """Why a connection ended: RFC 6455 section 7.4.1 below 4000, ours from 4000 up."""

    NORMAL = 1000
    GOING_AWAY = 1001
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
    SESSION_LIMIT = 4429
    SPAWN_FAILED = 4500


class ProtocolError(Exception):
    """Root of the tree."""


class OurError(ProtocolError):
    """Our caller asked for something the protocol does not allow."""


class TheirError(ProtocolError):
    """The peer sent something that is answered with an ``error`` message.

    ``code`` is the machine-readable name, ``close`` the close code, or ``None`` where the connection goes on.
    """

    def __init__(self, code: str, message: str, close: CloseCode | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.close = close


class Malformed(TheirError):
    """Not a message of this protocol: bad JSON, unknown type, missing or ill-typed field."""

    def __init__(self, message: str, code: str = "malformed_message") -> None:
        super().__init__(code, message, CloseCode.MALFORMED)


class InvalidText(TheirError):
    """Text that is not UTF-8 (RFC 6455 section 8.1)."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid_utf8", message, CloseCode.INVALID_TEXT)


class UnsupportedData(TheirError):
    """A binary frame where text is due, or a binary frame of an unknown kind."""

    def __init__(self, message: str) -> None:
        super().__init__("unsupported_data", message, CloseCode.UNSUPPORTED_DATA)


class MessageTooBig(TheirError):
    """A message above the limit."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            "message_too_big",
            f"message of {size_bytes} bytes exceeds the limit of {limit_bytes} bytes",
            CloseCode.MESSAGE_TOO_BIG,
        )


class IllegalInState(TheirError):
    """A message of this protocol at a moment where the table does not allow it."""

    def __init__(self, kind: str, state: str, allowed: tuple[str, ...]) -> None:
        super().__init__(
            "illegal_in_state",
            f"{kind!r} is not allowed while {state}; allowed: {', '.join(allowed) or 'nothing'}",
            CloseCode.ILLEGAL_IN_STATE,
        )


class OutOfRange(TheirError):
    """A value outside its limits; the message is ignored and the connection goes on."""

    def __init__(self, message: str) -> None:
        super().__init__("out_of_range", message)
