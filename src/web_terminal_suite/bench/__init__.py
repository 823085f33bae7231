"""The benchmark suite for web terminals.

``pipeline`` runs it from Python. The names below are what a benchmark, a terminal and a behaviour are declared with;
they are public and imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from web_terminal_suite.bench.benchmark import Benchmark, BenchmarkContext, OperationResult, below, sample
    from web_terminal_suite.bench.clock import now_ns
    from web_terminal_suite.bench.load.behaviour import Behaviour
    from web_terminal_suite.bench.load.virtual_user import VirtualUser
    from web_terminal_suite.bench.samples import Metric, Point, Sample, Target, TerminalFacts
    from web_terminal_suite.bench.terminals.peer import Peer
    from web_terminal_suite.bench.terminals.terminal import Capability, Running, Terminal

__all__ = [
    "Behaviour",
    "Benchmark",
    "BenchmarkContext",
    "Capability",
    "Metric",
    "OperationResult",
    "Peer",
    "Point",
    "Running",
    "Sample",
    "Target",
    "Terminal",
    "TerminalFacts",
    "VirtualUser",
    "below",
    "now_ns",
    "sample",
]

_MODULES = {
    "web_terminal_suite.bench.benchmark": (
        "Benchmark", "BenchmarkContext", "OperationResult", "below", "sample",
    ),
    "web_terminal_suite.bench.clock": ("now_ns",),
    "web_terminal_suite.bench.load.behaviour": ("Behaviour",),
    "web_terminal_suite.bench.load.virtual_user": ("VirtualUser",),
    "web_terminal_suite.bench.samples": ("Metric", "Point", "Sample", "Target", "TerminalFacts"),
    "web_terminal_suite.bench.terminals.peer": ("Peer",),
    "web_terminal_suite.bench.terminals.terminal": ("Capability", "Running", "Terminal"),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)
