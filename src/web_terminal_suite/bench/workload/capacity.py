"""Whether this machine can hold a benchmark's sessions: checked before a run, and again before the first connection.

Only this machine's limits are checked; those of a remote terminal are not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.terminals.web_terminal import SESSIONS_PER_WORKER
from web_terminal_suite.client.errors import ClientError

if TYPE_CHECKING:
    from web_terminal_suite.bench.benchmark import BenchmarkContext
    from web_terminal_suite.bench.machine.limits import MachineLimits


class NotFeasible(ClientError):
    """This machine cannot hold the sessions: which limit prevents it, and the command that raises it."""


def shortage(sessions: int, limits: MachineLimits) -> str:
    """Why ``sessions`` sessions do not fit, and what to do about it; empty if they fit."""
    # Imported here and below: naming the benchmarks must not cost what reading a machine's facts needs.
    from web_terminal_suite.bench.machine.limits import ProcessSpread, feasible

    # Our server is started with as many workers as it takes.
    answer = feasible(limits, ProcessSpread(workers=max(1, -(-sessions // SESSIONS_PER_WORKER))), sessions)
    if answer.enough:
        return ""
    short = [row for row in answer.allowances if row.sessions is not None and row.sessions < sessions]
    remedies = "; ".join(row.remedy for row in short)
    binding = answer.binding
    return (
        f"not feasible here: {binding.name} = {binding.value} allows {answer.sessions:,} of {sessions:,} sessions; "
        f"raise with: {remedies}"
    )


def make_sure(context: BenchmarkContext, sessions: int) -> None:
    """Return if ``sessions`` sessions fit.

    Raises:
        NotFeasible
    """
    if context.running.process is None:
        return
    from web_terminal_suite.bench.machine.kernel import read_limits

    text = shortage(sessions, read_limits())
    if text:
        raise NotFeasible(text)
