"""The checks carried out on terminals: each terminal is started once, and each cell has a session of its own."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

import msgspec

from web_terminal_suite.bench.benchmark import BenchmarkContext
from web_terminal_suite.bench.conformance.check import Answer, CheckResult
from web_terminal_suite.bench.conformance.table import CHECKS
from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.terminals.processes import LaunchFailed
from web_terminal_suite.client.errors import ClientError
from web_terminal_suite.client.marker import Markers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from web_terminal_suite.bench.conformance.check import Check
    from web_terminal_suite.bench.terminals.terminal import Running, Terminal

SCHEMA: Final = "web-terminal-conformance/1"
_CELL_SECONDS: Final = 60.0


class MatrixCell(msgspec.Struct, frozen=True):
    """One answer of one terminal, and the command that asks again."""

    terminal: str
    check: str
    answer: Answer
    evidence: str
    command: str


class MatrixRow(msgspec.Struct, frozen=True):
    """A check as a document names it."""

    name: str
    question: str


class Matrix(msgspec.Struct, frozen=True):
    """Everything that was asked. ``versions`` are by terminal."""

    schema: str
    versions: dict[str, str]
    checks: tuple[MatrixRow, ...]
    cells: tuple[MatrixCell, ...]
    missing: tuple[str, ...] = ()
    """Terminals that are not installed, each with how to get it."""

    @property
    def is_whole(self) -> bool:
        """Whether every cell could be run."""
        return all(cell.answer is not Answer.NOT_RUN for cell in self.cells)


def chosen(names: Sequence[str]) -> tuple[Check, ...]:
    """The checks of these names, all without any.

    Raises:
        OptionsError: there is none of a name.
    """
    known = {each.name: each for each in CHECKS}
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        raise OptionsError(f"no check is called {unknown!r}; there are: {', '.join(known)}")
    return tuple(each for each in CHECKS if not names or each.name in names)


async def ask(
    terminals: Sequence[Terminal],
    checks: Sequence[Check],
    command: Callable[[Terminal, Check], str],
    say: Callable[[str], None],
) -> Matrix:
    """Every check on every terminal that is installed.

    Args:
        command: that asks one cell again.
        say: told of each cell as soon as it is answered.
    """
    cells: list[MatrixCell] = []
    missing = tuple(each.missing() for each in terminals if each.missing())
    present = [each for each in terminals if not each.missing()]
    for terminal in present:
        async for check, finding in _asked(terminal, checks):
            cells.append(MatrixCell(terminal.name, check.name, *finding, command(terminal, check)))
            say(f"{terminal.name} {check.name}: {finding.answer}: {finding.evidence}")
    return Matrix(
        schema=SCHEMA,
        versions={each.name: each.facts().version for each in present},
        checks=tuple(MatrixRow(each.name, each.question) for each in checks),
        cells=tuple(cells),
        missing=missing,
    )


async def _asked(terminal: Terminal, checks: Sequence[Check]) -> AsyncIterator[tuple[Check, CheckResult]]:
    markers = Markers(random.SystemRandom())
    try:
        async with terminal.launch() as running:
            for check in checks:
                yield check, await _finding(check, running, markers)
    except LaunchFailed as error:
        for check in checks:
            yield check, CheckResult(Answer.NOT_RUN, f"{terminal.name} did not start: {error}")


async def _finding(check: Check, running: Running, markers: Markers) -> CheckResult:
    if lacking := check.needs - running.terminal.capabilities:
        return CheckResult(Answer.NOT_APPLICABLE, f"it has no {min(lacking)}")
    try:
        async with asyncio.timeout(_CELL_SECONDS):
            return await check.run(BenchmarkContext(running, "", markers))
    except TimeoutError:
        return CheckResult(Answer.NOT_RUN, f"not over after {_CELL_SECONDS:g} s")
    except (ClientError, LaunchFailed, OSError, ValueError) as error:
        # A value error is of output that is not what the check asked for.
        return CheckResult(Answer.NOT_RUN, running.died or f"{type(error).__name__}: {error}")
