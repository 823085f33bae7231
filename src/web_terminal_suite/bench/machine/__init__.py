"""What a run was measured on, and how many sessions it can carry: reading ``/proc`` and ``/sys``, and arithmetic.

``snapshot()`` before and after a run, ``between()`` for what should make a reader careful,
``read_limits()``, ``feasible()`` and ``fix()`` for the doctor. Knows nothing of benchmarks, needs nothing but Linux.
"""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from web_terminal_suite.bench.machine.facts import MachineSnapshot, snapshot
from web_terminal_suite.bench.machine.fixes import Fix, fix
from web_terminal_suite.bench.machine.kernel import read_limits
from web_terminal_suite.bench.machine.limits import (
    DESCRIPTORS_KEPT,
    Feasible,
    MachineLimits,
    ProcessSpread,
    SessionCapacity,
    feasible,
)
from web_terminal_suite.bench.machine.warnings import MachineWarning, between

__all__ = [
    "DESCRIPTORS_KEPT",
    "Feasible",
    "Fix",
    "MachineLimits",
    "MachineSnapshot",
    "MachineWarning",
    "ProcessSpread",
    "SessionCapacity",
    "between",
    "feasible",
    "fix",
    "read_limits",
    "record",
    "snapshot",
]


def record(before: MachineSnapshot, after: MachineSnapshot | None = None) -> dict[str, Any]:
    """What ``Run.machine`` holds: both snapshots and the warnings that follow from them, as plain values."""
    return {
        "before": to_builtins(before),
        "after": None if after is None else to_builtins(after),
        "warnings": [to_builtins(caution) for caution in between(before, after)],
    }
