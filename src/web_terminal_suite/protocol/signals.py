"""Signals by the names that clients send."""

from __future__ import annotations

import signal

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.errors import TheirError


def signal_number(name: str) -> int:
    """The number of a signal that a client may send.

    Raises:
        TheirError: no signal has this name.
    """
    number = getattr(signal, name, None) if name.startswith("SIG") and name.isalnum() else None
    if not isinstance(number, signal.Signals):
        raise TheirError(ErrorCode.UNKNOWN_SIGNAL, f"signal {name[:40]!r} is unknown; names are as in SIGINT")
    return int(number)


def signal_name(number: int) -> str:
    """The name of a signal; one without a name, which is a real-time signal, has its number in it."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
