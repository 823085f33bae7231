"""Floors for the coverage of rooms: ``--coverage-floors`` fails a run in which a room is below its own.

coverage.py knows one floor for everything, and a room with many tests would hide one with few. The floors are percent
of lines and branches, in ``[tool.web-terminal.coverage-floors]`` of pyproject.toml.
"""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

PACKAGE = "src/web_terminal_suite/"
_COUNTS = ("covered_lines", "covered_branches", "num_statements", "num_branches")
_ROOMS = pytest.StashKey[list["Room"]]()


class Room(NamedTuple):
    """A directory or file of the package, and what was covered of it, in percent."""

    name: str
    floor: float
    percent: float

    @property
    def is_below(self) -> bool:
        return self.percent < self.floor


def rooms(measured: Mapping[str, Any], floors: Mapping[str, float]) -> list[Room]:
    """The coverage of each room with a floor; ``measured`` is a JSON report of coverage.py.

    A room of which nothing was measured counts as 0 %, because a renamed room must not lose its floor in silence.
    """
    found = []
    for name, floor in floors.items():
        counts = dict.fromkeys(_COUNTS, 0)
        for path, each in measured["files"].items():
            if path.startswith(f"{PACKAGE}{name}/") or path == f"{PACKAGE}{name}.py":
                for key in _COUNTS:
                    counts[key] += each["summary"][key]
        possible = counts["num_statements"] + counts["num_branches"]
        covered = counts["covered_lines"] + counts["covered_branches"]
        found.append(Room(name, floor, 100 * covered / possible if possible else 0.0))
    return found


def table(found: list[Room]) -> list[str]:
    """A line for each room."""
    return [
        f"{room.name:<24} {room.percent:6.2f} %  floor {room.floor:5.1f} %{'  BELOW' if room.is_below else ''}"
        for room in found
    ]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--coverage-floors",
        action="store_true",
        help="fail where a room's coverage is below its floor in pyproject.toml; needs --cov --cov-report=json",
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """After pytest-cov has written its report, which it does in its own wrapper of this hook."""
    done = yield
    config = session.config
    if config.option.coverage_floors and not hasattr(config, "workerinput"):
        settings = tomllib.loads((config.rootpath / "pyproject.toml").read_text())["tool"]
        measured = json.loads((config.rootpath / settings["coverage"]["json"]["output"]).read_text())
        found = rooms(measured, settings["web-terminal"]["coverage-floors"])
        config.stash[_ROOMS] = found
        if any(room.is_below for room in found):
            session.testsfailed += 1  # pytest derives its exit status from this after the loop
    return done


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found = terminalreporter.config.stash.get(_ROOMS, [])
    if found:
        terminalreporter.section("coverage of lines and branches")
        for line in table(found):
            terminalreporter.write_line(line)
