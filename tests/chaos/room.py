"""What a room of the long tests declares, and how its rows are printed.

A room is a module with ``OPTIONS``, the numbers that its command line may change, and ``measure``, which adds rows.
``python -m tests.chaos.NAME --seed N`` runs one, ``python -m tests.chaos`` all of them. Each fault is a row: what was
done, what must be reached, what was measured. The exit status is 1 if a row fails.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType


class Row(NamedTuple):
    """One fault: ``passed`` is ``None`` where this machine cannot run it."""

    fault: str
    bar: str
    measured: str
    passed: bool | None

    @property
    def verdict(self) -> str:
        return {True: "PASS", False: "FAIL", None: "not run"}[self.passed]


HEAD = ("fault", "bar", "measured", "")


class Rows:
    """The rows of a room, told as they come."""

    def __init__(self) -> None:
        self.all: list[Row] = []

    def add(self, row: Row) -> None:
        self.all.append(row)
        print(f"  {row.verdict} {row.fault}: {row.measured}", file=sys.stderr, flush=True)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, which is readable as it is."""
    cells = [HEAD, *((row.fault, row.bar, row.measured, row.verdict) for row in rows)]
    widths = [max(len(each[column]) for each in cells) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(each, widths, strict=True)) + " |" for each in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def run(room: ModuleType, options: argparse.Namespace) -> list[Row]:
    """The rows of one room. What ends it before its time is a row that fails."""
    name = room.__name__.rpartition(".")[2]
    began = time.monotonic()
    print(f"{name}: {(room.__doc__ or '').splitlines()[0]}", file=sys.stderr, flush=True)
    rows = Rows()
    try:
        asyncio.run(room.measure(options, rows))
    except Exception as error:  # the other rooms are to run all the same
        rows.add(Row(name, "runs to its end", f"{type(error).__name__}: {error}".splitlines()[0], False))
        if options.debug:
            raise
    print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return rows.all


def parse(
    description: str | None, defaults: Mapping[str, int], arguments: list[str] | None = None
) -> argparse.Namespace:
    """The options of the command line: a seed, and a number for each of ``defaults``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--debug", action="store_true", help="end with a traceback where a room fails")
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    return parser.parse_args(arguments)


def report(rows: Sequence[Row]) -> int:
    """Print the table; the exit status."""
    print(table(rows))
    return 1 if any(row.passed is False for row in rows) else 0


def main() -> None:
    """Run the room that was started as the main module."""
    room = sys.modules["__main__"]
    room.__name__ = room.__spec__.name if room.__spec__ else "room"  # for the log
    sys.exit(report(run(room, parse(room.__doc__, room.OPTIONS))))
