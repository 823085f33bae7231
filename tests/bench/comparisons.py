"""Runs of known difference for the tests of comparison, baselines, history and their commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tests.bench.records import MS, OURS, PEER, facts, run, samples, trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.samples import Run, TerminalFacts

MACHINE = {
    "before": {
        "hostname": "here",
        "taken": "2026-01-01T00:00:00Z",
        "cpu_model": "Known CPU",
        "cpu_count": 4,
        "cpus_usable": 4,
        "memory_total": 8_000_000_000,
        "kernel": "6.1.0",
        "python": "CPython 3.12.1",
    },
    "warnings": [],
}


def measured(
    scale: float = 1.0,
    *,
    seed: int = 1,
    names: Sequence[str] = ("suite/a", "suite/b"),
    terminals: Sequence[TerminalFacts] = (OURS,),
    blocks: int = 5,
    n: int = 50,
    peer: float = 1.0,
    started: str = "2026-01-01T00:00:00Z",
    **machine: object,
) -> Run:
    """A run of log-normal latencies around ``scale`` ms; those of the terminal ``peer`` times ``peer`` more."""
    rng = np.random.default_rng(seed)
    trials = [
        trial(
            samples((rng.lognormal(0, 0.1, n) * MS * scale * (peer if terminal is PEER else 1)).astype(int).tolist()),
            benchmark=name,
            terminal=terminal.name,
            block=block,
        )
        for block in range(blocks)
        for name in names
        for terminal in terminals
    ]
    found = run(*trials, benchmarks=[facts(id=name) for name in names], terminals=terminals, seed=seed)
    facts_of_machine = MACHINE | {"before": {**MACHINE["before"], **machine}}  # type: ignore[dict-item]
    return msgspec.structs.replace(found, machine=facts_of_machine, started=started)
