"""Floods of a known size: which stream, and how often the client acknowledges it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.workload import streams

if TYPE_CHECKING:
    from collections.abc import Callable

_MEBIBYTE: Final = 1 << 20
_EVERY_FRAME: Final = 1


@dataclass(frozen=True)
class Flood:
    """A stream, and the bytes from one acknowledgement to the next; ``None`` for the client's own choice (32 KiB)."""

    make: Callable[[], streams.Stream]
    acknowledge_every: int | None = None


def _text() -> streams.Stream:
    return streams.text(10 * streams.MEGABYTE)


def _binary() -> streams.Stream:
    return streams.binary(64, _MEBIBYTE)


# By parameter. A server's rate must not depend on the acknowledgements: each of these would show it.
FLOODS: Final[dict[str, Flood]] = {
    "10MB": Flood(_text),
    "10MB ack frame": Flood(_text, _EVERY_FRAME),
    "100MB": Flood(lambda: streams.text(100 * streams.MEGABYTE)),
    "64MiB binary ack frame": Flood(_binary, _EVERY_FRAME),
    "64MiB binary ack 8KiB": Flood(_binary, 8 << 10),
    "64MiB binary ack 32KiB": Flood(_binary, 32 << 10),
    "64MiB binary ack 64KiB": Flood(_binary, 64 << 10),
}
ONLY_FULL: Final = tuple(FLOODS)[1:]
"""Measured with ``--full`` alone: most of them take a second each time."""
