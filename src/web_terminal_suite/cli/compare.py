"""``web-terminal compare A B [C...]``: saved runs beside the first, with ratios, intervals and verdicts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis.comparison.results import RunComparison, Terms
    from web_terminal_suite.bench.samples import Run

USAGE_ERROR = 2


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="A [B]...", help="Record files or names of baselines; one alone: its terminals beside each other."
        ),
    ],
    noise_threshold: Annotated[
        float, typer.Option(min=0, help="Relative difference that does not matter: 0.05 is 5 %.")
    ] = 0.05,
    significance_level: Annotated[
        float, typer.Option(min=1e-6, max=0.5, help="Probability of a false alarm in any row.")
    ] = 0.05,
    confidence_level: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Of every interval.")] = 0.95,
    nresamples: Annotated[int, typer.Option(min=100, help="Resamples behind every interval.")] = 1_000,
    correction: Annotated[
        str, typer.Option(help="For many rows: holm (no false alarm), benjamini-hochberg (few), none.")
    ] = "holm",
    statistic: Annotated[
        list[str] | None, typer.Option(help="Of a latency: p50, p95, p99, p99.9, mean. (default: p50, p95)")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Compare although the machines differ.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
    home: Annotated[Path | None, typer.Option(help="Where baselines are. (default: ./.web-terminal-bench)")] = None,
) -> None:
    """Compare saved runs with the first of them.

    Exit code: 0 nothing is slower, 1 something is slower beyond the noise threshold, 2 wrong usage, 3 nothing could be
    decided.
    """
    try:
        # These need the bench extra; what else the command needs is always installed.
        from web_terminal_suite.bench.analysis.comparison.results import Terms
        from web_terminal_suite.bench.analysis.comparison.runs import OtherMachine, exit_code
        from web_terminal_suite.bench.report.console import console_for
        from web_terminal_suite.bench.report.text import baseline_comparison
    except ModuleNotFoundError as error:
        _fail(f"needs {error.name}; pip install 'web-terminal-suite[bench]'")
    try:
        terms = Terms(
            level=confidence_level,
            significance=significance_level,
            noise=noise_threshold,
            resamples=nresamples,
            correction=correction,
            statistics=tuple(dict.fromkeys(statistic or ("p50", "p95"))),
        )
        compared = _compared([(name, _loaded(name, home)) for name in runs], terms, force)
    except (OtherMachine, ValueError) as error:
        _fail(str(error))
    code = exit_code(compared)
    if json:
        typer.echo(baseline_comparison.as_json(compared, code), nl=False)
    else:
        baseline_comparison.print_comparison(console_for(), compared, code)
    raise typer.Exit(code)


def _compared(runs: list[tuple[str, Run]], terms: Terms, force: bool) -> tuple[RunComparison, ...]:
    """All beside the first; of a single run its judged terminals beside the first of those.

    Raises:
        OtherMachine
        ValueError: a single run with a single terminal.
    """
    from web_terminal_suite.bench.analysis.comparison.runs import compare_runs, compare_terminals

    base, *news = runs
    if news:
        return compare_runs(base, news, terms, force)
    name, run = base
    subjects = [terminal.name for terminal in run.terminals if terminal.role == "subject"]
    if len(subjects) < 2:
        raise ValueError(f"{name} measured one terminal, so there is nothing to compare; name a second run")
    return compare_terminals(run, subjects[0], subjects[1:], terms)


def _loaded(name: str, home: Path | None) -> Run:
    """A file where there is one of that name, else a baseline."""
    from web_terminal_suite.bench import record
    from web_terminal_suite.bench.baselines import BaselineError, Baselines
    from web_terminal_suite.bench.baselines import home as home_of

    path = Path(name)
    try:
        if path.is_file() or path.suffix or len(path.parts) > 1:
            return record.load(path)
        return Baselines(home_of(home, os.environ)).load(name)
    except (record.RecordError, BaselineError) as error:
        _fail(str(error))


def _fail(text: str) -> NoReturn:
    typer.echo(f"web-terminal compare: {text}", err=True)
    raise typer.Exit(USAGE_ERROR)
