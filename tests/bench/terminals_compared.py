"""A run of several terminals with all that a page of them can show, on a machine that must not be recognised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tests.bench.records import MS, facts, run, samples, trial
from tests.bench.reported import SNAPSHOT
from web_terminal_suite.bench.samples import Metric, Outcome, Point, Target, TerminalFacts

if TYPE_CHECKING:
    from web_terminal_suite.bench.samples import Run

HOST, HOME = "velvet-anvil", "/home/somebody"
"""What a published page must not name."""

FIRST = TerminalFacts(
    name="web-terminal",
    version="1",
    role="subject",
    command=(f"{HOME}/venv/bin/python", "-m", "web_terminal_suite", "serve", "--config", f"{HOME}/made/it.toml"),
    capabilities=("create API",),
)
QUICK = TerminalFacts(
    name="quick", version="2", role="subject", command=("/opt/of/ours/quick",), remarks=("it is <b>",)
)
SLOW = TerminalFacts(name="slow", version="3.1 (node 20)", role="subject", url=f"ws://{HOST}:7681/ws")
BUSY = TerminalFacts(name="busy", version="4", role="subject", command=("busy",))
GONE = TerminalFacts(
    name="gone",
    version="",
    role="subject",
    missing=f"{HOME}/bin/gone does not start; install it with: apt install gone",
)
TIMES = {"web-terminal": 1.0, "quick": 0.5, "slow": 3.0, "busy": 1.002}
"""How many times the first terminal's latency each of them has."""

ECHO, FLOOD, PASTE = "interactive/keystroke_echo", "interactive/output_flood", "interactive/paste"
OWN = "websocket_throughput/own"
PROBLEM = f"ended with 1: cannot read {HOME}/etc/slow.conf"
BLOCKS = 5

BENCHMARKS = (
    facts(
        Metric(name="latency", targets={"*": Target(statistic="p95", limit=20.0 * MS, goal=0.5 * MS)}),
        Metric(name="server CPU per key", kind="level", unit="ns"),
        Metric(name="messages", kind="level", unit=""),
        id=ECHO,
        parameters=("tty",),
    ),
    facts(Metric(name="latency"), id=FLOOD, parameters=("10MB",), elements={"10MB": 10_000_000}, element_unit="B"),
    facts(Metric(name="latency"), id=PASTE, parameters=("1MiB",)),
    facts(Metric(name="latency"), id=OWN, component=True),
)


def several(*terminals: TerminalFacts, seed: int = 3) -> Run:
    """``quick`` is twice as fast as the first, ``slow`` a third; ``busy`` is the same, with a client that is busy."""
    rng = np.random.default_rng(seed)
    chosen = terminals or (FIRST, QUICK, SLOW, BUSY, GONE)
    trials = []
    for block in range(BLOCKS):
        for name in (each.name for each in chosen if not each.missing):
            times = TIMES[name]

            def taken(n: int, times: float = times, median: float = 1.0) -> list:
                return samples((rng.lognormal(0, 0.1, n) * MS * median * times).astype(int).tolist())

            busy = 0.93 if name == "busy" else 0.1
            levels = [
                Point(metric, 0, value * times * float(rng.lognormal(0, 0.02)))
                for metric, value in (("server CPU per key", 90e3), ("messages", 5.0))
            ]
            problem = PROBLEM if (name, block) == ("slow", 3) else ""
            common = {"terminal": name, "block": block, "client": busy}
            trials.append(trial(taken(400), benchmark=ECHO, parameter="tty", points=levels, problem=problem, **common))
            trials.append(trial(taken(60, median=200), benchmark=FLOOD, parameter="10MB", **common))
            failed = samples([MS] * (8 if name == "slow" else 0), outcome=Outcome.TIMEOUT)
            trials.append(trial([*taken(60, median=20), *failed], benchmark=PASTE, parameter="1MiB", **common))
            if name == "web-terminal":
                trials.append(trial(taken(60), benchmark=OWN, **common))
    found = run(*trials, benchmarks=BENCHMARKS, terminals=chosen, seed=seed)
    before = SNAPSHOT | {"hostname": HOST}
    return msgspec.structs.replace(found, machine={"before": before, "after": before, "warnings": []})
