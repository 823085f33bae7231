"""How often steps are marked in simulated histories: ``python -m tests.bench.history_simulation [HISTORIES]``.

Writes the table of docs/benchmarks.md, section History. Every history is drawn from a seed, so the same command gives
the same table.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from web_terminal_suite.bench.stats import change_points

Values = npt.NDArray[np.float64]

NOISE = 0.05
"""Standard deviation of the logarithm of a run."""

LENGTHS = (12, 20, 30, 100)
CORRELATIONS = (0.0, 0.5, 0.8)
LAST_RUNS = (3, 4, 5, 6)
HISTORIES = 1000


def noise(rng: np.random.Generator, runs: int, correlation: float) -> Values:
    """``(runs,)`` values of an AR(1) process of variance 1."""
    drawn = rng.normal(size=runs)
    drawn[1:] *= math.sqrt(1 - correlation**2)
    for run in range(1, runs):
        drawn[run] += correlation * drawn[run - 1]
    return drawn


def history(rng: np.random.Generator, runs: int, correlation: float, last: int = 0, ratio: float = 1.0) -> Values:
    """A history around 100 whose ``last`` runs are ``ratio`` times as large."""
    values = 100 * np.exp(NOISE * noise(rng, runs, correlation))
    values[runs - last :] *= ratio
    return values


def drifting(rng: np.random.Generator, runs: int, each: float) -> Values:
    """A history that grows by ``each`` from run to run."""
    return history(rng, runs, 0.0) * (1 + each) ** np.arange(runs)


def whole_numbers(rng: np.random.Generator, runs: int) -> Values:
    return np.round(10 + rng.normal(0, 0.4, runs))


def wild(rng: np.random.Generator, runs: int) -> Values:
    """One run in ten is 0.5, 3 or 10 times as large."""
    values = history(rng, runs, 0.0)
    outliers = rng.choice(runs, runs // 10, replace=False)
    values[outliers] *= rng.choice([0.5, 3.0, 10.0], outliers.size)
    return values


NOISES: dict[str, Callable[[np.random.Generator, int], Values]] = {
    "exponential": lambda rng, runs: rng.exponential(size=runs),
    "Pareto 2": lambda rng, runs: 1 + 0.1 * rng.pareto(2, runs),
    "Student t 3": lambda rng, runs: 100 * np.exp(0.03 * rng.standard_t(3, runs)),
    "whole numbers": whole_numbers,
    "one run in ten wild": wild,
}
"""Independent runs without a step, of other distributions."""


class Shares(NamedTuple):
    """Shares of histories, in per cent, by the name of their column."""

    row: str
    shares: dict[str, float]


def marked(draw: Callable[[np.random.Generator], Values], histories: int, seed: int, near: int = -1) -> float:
    """Per cent of histories with a step; with ``near`` only within two runs of there."""
    count = 0
    for number in range(histories):
        rng = np.random.default_rng([seed, number])
        steps = change_points.change_points(draw(rng), rng)
        count += any(near < 0 or abs(step.index - near) <= 2 for step in steps)
    return 100 * count / histories


def false_steps(runs: int, histories: int, correlation: float = 0.0, of: str = "") -> float:
    """Per cent of histories without a step in which one is marked."""
    if of:
        return marked(lambda rng: NOISES[of](rng, runs), histories, 1)
    return marked(lambda rng: history(rng, runs, correlation), histories, 1)


def found_steps(runs: int, last: int, ratio: float, histories: int, correlation: float = 0.0) -> float:
    """Per cent of histories in which the step before the ``last`` runs is marked."""
    return marked(lambda rng: history(rng, runs, correlation, last, ratio), histories, 2, near=runs - last)


def found_drifts(runs: int, each: float, histories: int) -> float:
    """Per cent of histories that drift in which a step is marked."""
    return marked(lambda rng: drifting(rng, runs, each), histories, 3)


def table(histories: int) -> list[Shares]:
    """Every row of the table."""
    rows = [
        Shares(f"no step, AR({rho:g})", {str(n): false_steps(n, histories, rho) for n in LENGTHS})
        for rho in CORRELATIONS
    ]
    rows += [Shares(f"no step, {of}", {str(n): false_steps(n, histories, of=of) for n in LENGTHS}) for of in NOISES]
    for rho in (0.0, 0.5):
        rows += [
            Shares(
                f"doubled in the last {last}, AR({rho:g})",
                {str(n): found_steps(n, last, 2.0, histories, rho) for n in LENGTHS},
            )
            for last in LAST_RUNS
        ]
        rows += [
            Shares(
                f"{ratio - 1:+.0%} in the middle, AR({rho:g})",
                {str(n): found_steps(n, n // 2, ratio, histories, rho) for n in LENGTHS},
            )
            for ratio in (1.1, 1.2)
        ]
    rows += [
        Shares(f"{each:+.0%} from run to run", {str(n): found_drifts(n, each, histories) for n in LENGTHS[:3]})
        for each in (0.01, 0.02, 0.04)
    ]
    return rows


def main() -> None:
    histories = int(sys.argv[1]) if len(sys.argv) > 1 else HISTORIES
    print(f"| per cent of {histories:,} histories with a step | " + " | ".join(f"{n} runs" for n in LENGTHS) + " |")
    print("|---|" + "---:|" * len(LENGTHS))
    for row, shares in table(histories):
        cells = [f"{shares[str(n)]:.1f}" if str(n) in shares else "" for n in LENGTHS]
        print(f"| {row} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
