"""A check, what it is given, and what it finds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.terminals.processes import is_gone
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from web_terminal_suite.bench.benchmark import BenchmarkContext

_GONE_SECONDS: Final = 3.0


class Answer(StrEnum):
    YES = "yes"
    NO = "no"
    NOT_APPLICABLE = "not applicable"
    NOT_RUN = "not run"
    """The check itself failed: nothing is said of the terminal."""


class CheckResult(NamedTuple):
    """An answer with its evidence: a sentence with figures."""

    answer: Answer
    evidence: str


@dataclass(frozen=True)
class Check:
    """A question that has the answer yes where a terminal does what its users need.

    ``context`` of ``run`` is a terminal that answers. Raising ``ClientError`` leaves the cell open.
    """

    name: str
    question: str
    run: Callable[[BenchmarkContext], Awaitable[CheckResult]]
    needs: frozenset[Capability] = frozenset({Capability.SHELL})
    """A terminal that lacks one of them is not asked."""


async def without_rejoining(context: BenchmarkContext) -> CheckResult:
    """What becomes of a session whose connection is lost, if the client cannot join it again."""
    if not context.running.terminal.can(frozenset({Capability.PROCESSES})):
        return CheckResult(
            Answer.NOT_APPLICABLE, "the suite's client cannot rejoin it, and its processes are elsewhere"
        )
    async with context.running.connect() as connection:
        await connection.attach()
        shell = int((await connection.run("echo $$")).output)
        cut_ns = now_ns()
        connection.abort()
        while not is_gone(shell) and (now_ns() - cut_ns) / 1e9 < _GONE_SECONDS:
            await asyncio.sleep(0.02)  # /proc offers no event for a process that is not ours
        seconds = (now_ns() - cut_ns) / 1e9
        if not is_gone(shell):
            return CheckResult(
                Answer.NOT_APPLICABLE,
                f"its shell still ran {seconds:.0f} s after the connection was cut, and the client cannot rejoin it",
            )
    return CheckResult(Answer.NO, f"its shell ended {seconds:.2f} s after the connection was cut, with all that it ran")
