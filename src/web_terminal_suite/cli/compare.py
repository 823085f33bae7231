"""``web-terminal compare A B [C...]``: saved runs compared with the first, with ratios, intervals and verdicts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from web_terminal_suite.cli import completion, parameters
from web_terminal_suite.cli.exit_status import Subcommand
from web_terminal_suite.cli.streams import print_json

if TYPE_CHECKING:
    from pathlib import Path


@click.command(cls=Subcommand)
@click.argument(
    "runs",
    nargs=-1,
    required=True,
    metavar="A [B]...",
    shell_complete=completion.saved_runs,
    help="Record files or names of baselines; one alone: its terminals are compared with each other.",
)
@parameters.noise_threshold("Relative difference that does not matter: 0.05 is 5 %.")
@parameters.significance_level("Probability of a false alarm in any row.")
@parameters.confidence_level()
@parameters.resamples("Resamples behind an interval of one run; several runs a side need none.")
@click.option(
    "--correction",
    default="holm",
    show_default=True,
    shell_complete=completion.words("holm", "benjamini-hochberg", "none"),
    help="For many rows: holm (no false alarm), benjamini-hochberg (few), none.",
)
@parameters.several(
    "--statistic",
    "Of a latency: p50, p95, p99, p99.9, mean. (default: p50, p95)",
    shell_complete=completion.words("p50", "p95", "p99", "p99.9", "mean"),
)
@parameters.flag("--force", "Compare although the machines differ.")
@parameters.flag("--json", "Print one JSON object instead.")
@parameters.home("baselines are")
def compare(
    runs: tuple[str, ...],
    noise_threshold: float,
    significance_level: float,
    confidence_level: float,
    nresamples: int,
    correction: str,
    statistic: tuple[str, ...],
    force: bool,
    json: bool,
    home: Path | None,
) -> None:
    """Compare saved runs with the first of them.

    Exit code: 0 nothing is slower or worse and every row could be told, 1 something is beyond the noise threshold, 2
    wrong usage or a file that cannot be used, 3 not every row could be told, 4 a run is no whole one.
    """
    from web_terminal_suite.bench import pipeline
    from web_terminal_suite.bench.analysis.comparison.runs import exit_code
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text import baseline_comparison

    asked = {
        "confidence_level": ("level", confidence_level),
        "significance_level": ("significance", significance_level),
        "noise_threshold": ("noise", noise_threshold),
        "nresamples": ("resamples", nresamples),
        "correction": ("correction", correction),
        "statistic": ("statistics", tuple(dict.fromkeys(statistic))),
    }
    given = dict(each for name, each in asked.items() if parameters.is_given(name))
    parameters.terms(**given)  # a value out of its range is told before a file is read
    sides = [(name, pipeline.open_runs(name, home)) for name in runs]
    terms = parameters.terms(**asdict(pipeline.terms_of(*sides)) | given)
    found = pipeline.compare(*sides, terms=terms, force=force)
    code = exit_code(found)
    if json:
        print_json(baseline_comparison.as_json(found, code))
    else:
        baseline_comparison.print_comparison(console_for(), found, code)
    raise click.exceptions.Exit(code)
