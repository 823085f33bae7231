"""A browser without a page: what the tests, the command line and the benchmark suite talk through.

``connection`` is the only place that opens a WebSocket; ``rest`` speaks HTTP; ``dialect`` says what a protocol must
offer and ``dialects`` has those that are known. Knows nothing of servers, benchmarks or terminals under test.

The names below are public and are imported when they are first used: a WebSocket library takes longer to import than
most programs need to start.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from web_terminal_suite.client.address import Address, parse_address
    from web_terminal_suite.client.connection import ClientConnection, CommandResult, connect
    from web_terminal_suite.client.dialect import Dialect, Ephemeral
    from web_terminal_suite.client.errors import ClientError, Closed, Refused, TimedOut, Unreachable, Violated

__all__ = [
    "Address",
    "ClientConnection",
    "ClientError",
    "Closed",
    "CommandResult",
    "Dialect",
    "Ephemeral",
    "Refused",
    "TimedOut",
    "Unreachable",
    "Violated",
    "connect",
    "parse_address",
]

_MODULES = {
    "web_terminal_suite.client.address": ("Address", "parse_address"),
    "web_terminal_suite.client.connection": ("ClientConnection", "CommandResult", "connect"),
    "web_terminal_suite.client.dialect": ("Dialect", "Ephemeral"),
    "web_terminal_suite.client.errors": ("ClientError", "Closed", "Refused", "TimedOut", "Unreachable", "Violated"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)
