"""Every benchmark of every suite, in the order a report lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.suites import (
    command_execution,
    concurrent_load,
    floors,
    interactive,
    session_creation,
    websocket_throughput,
)

if TYPE_CHECKING:
    from web_terminal_suite.bench.benchmark import Benchmark

CATALOGUE: tuple[Benchmark, ...] = (
    *command_execution.BENCHMARKS,
    *session_creation.BENCHMARKS,
    *websocket_throughput.BENCHMARKS,
    *concurrent_load.BENCHMARKS,
    *interactive.BENCHMARKS,
    *floors.BENCHMARKS,
)
