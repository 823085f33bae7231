"""Errors that are reported to the peer, each with its row in ``error_codes``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.protocol.error_codes import CONSEQUENCES, ErrorCode

if TYPE_CHECKING:
    from web_terminal_suite.protocol.error_codes import CloseCode


class ProtocolError(Exception):
    """Root of the tree."""


class TheirError(ProtocolError):
    """The peer is answered with an ``error`` message, or with a REST error.

    Raises:
        KeyError: ``code`` has no row in the table.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.close: CloseCode | None = CONSEQUENCES[code].close
        """The close code, or ``None`` where the connection stays open."""

    @property
    def fatal(self) -> bool:
        """Whether a close frame follows."""
        return CONSEQUENCES[self.code].fatal

    @property
    def status(self) -> int:
        """The status of the REST response."""
        return CONSEQUENCES[self.code].status


class Malformed(TheirError):
    """Not a message of this protocol: bad JSON, unknown type, missing or ill-typed field."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.MALFORMED_MESSAGE, message)


class InvalidText(TheirError):
    """Text that is not UTF-8 (RFC 6455 section 8.1)."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.INVALID_UTF8, message)


class UnsupportedData(TheirError):
    """A binary frame where text is due, or a binary frame of an unknown kind."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.UNSUPPORTED_DATA, message)


class MessageTooBig(TheirError):
    """A message above the limit."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            ErrorCode.MESSAGE_TOO_BIG, f"message of {size_bytes} bytes exceeds the limit of {limit_bytes} bytes"
        )


class IllegalInState(TheirError):
    """A message of this protocol in a state where the table does not allow it."""

    def __init__(self, kind: str, state: str, allowed: tuple[str, ...]) -> None:
        super().__init__(
            ErrorCode.ILLEGAL_IN_STATE,
            f"{kind!r} is not allowed while {state}; allowed: {', '.join(allowed) or 'nothing'}",
        )


class OutOfRange(TheirError):
    """A value outside its limits; the message is ignored and the connection stays open."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.OUT_OF_RANGE, message)
