"""How a behaviour is declared: a role of virtual users that is not built in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from web_terminal_suite.bench.load.virtual_user import VirtualUser

    Operation = Callable[[], Awaitable[int]]
    """One operation; its result is when it was complete, ns of ``now_ns``."""

    Prepare = Callable[[VirtualUser], AbstractAsyncContextManager[Operation]]


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """One behaviour: what a report says of it, and what a session that has it does during a stage.

    ``prepare`` is entered once for each session and stage, just before the stage begins, and yields the operation.
    After it the session must be back at its prompt. It runs in a load generator, which is another process, so it must
    be a function of a module and not a lambda.
    """

    name: str
    """In the mix of a scenario, in thresholds (``NAME.p95``), and in the record (``load/NAME``)."""
    description: str
    """What one operation is, from where to where it is timed: a sentence."""
    limitations: str
    """What its figures do not show: a sentence."""
    prepare: Prepare
    every: float = 5.0
    """Seconds between two operations of a session, where the scenario says nothing else."""
    needs: frozenset[Capability] = frozenset({Capability.SHELL})
    """A terminal that lacks one of them cannot be loaded with it."""
