"""What can go wrong between a client and a server, as one tree."""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """Root of the tree. A misuse by our own caller is a ``ValueError`` or ``RuntimeError`` instead.

    Can be pickled, so that a client in another process says what it met.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # As pickle would, but past ``__init__``: most of the tree is not made from the text that it says.
        return _made_again, (type(self), self.args, vars(self))


def _made_again(kind: type[ClientError], args: tuple[Any, ...], attributes: dict[str, Any]) -> ClientError:
    error = kind.__new__(kind, *args)
    vars(error).update(attributes)
    return error


class Unreachable(ClientError):
    """Nothing listens there, or it hung up before answering."""


class Refused(ClientError):
    """The server answered the handshake or the request with an HTTP status of failure, or refused an attach."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"the server answered {status} {code}: {message}" if code else f"the server answered {status}")
        self.status = status
        self.code = code
        self.message = message


class Closed(ClientError):
    """The connection ended: ``code`` as in RFC 6455 section 7.4, 1006 where no close frame came."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the connection was closed with {code}" + (f": {reason}" if reason else ""))
        self.code = code
        self.reason = reason


class TimedOut(ClientError):
    """Something did not come within its time limit."""

    def __init__(self, what: str, limit_seconds: float) -> None:
        super().__init__(f"no {what} within {limit_seconds:g} s")
        self.what = what
        self.limit_seconds = limit_seconds


class Violated(ClientError):
    """The server broke the protocol: an illegal message, or output with a hole in it."""
