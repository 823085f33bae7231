"""``web-terminal bench --against``: another revision of the server next to this one, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.decorators import FC

from web_terminal_suite.cli import keeping
from web_terminal_suite.cli.exit_status import run_failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.bench.pipeline import BenchOptions, StorageOptions
    from web_terminal_suite.bench.samples import Run

_NOT_TOGETHER = (
    "save_baseline",
    "baseline",
    "baseline_lenient",
    "load_baseline",
    "retain_baseline",
    "discard_baseline",
)


def bench_against(options: BenchOptions, storage: StorageOptions, flags: dict[str, Any]) -> int:
    """Measure both sides, print the comparison, keep the record that was asked for; the exit status.

    A comparison is no run of one server, so it becomes no baseline and no part of the history.
    """
    from web_terminal_suite.bench import pipeline
    from web_terminal_suite.cli.progress import shown

    given = [name for name in _NOT_TOGETHER if flags[name]]
    if given:
        option = given[0].replace("_", "-")
        raise pipeline.OptionsError(f"--{option} is of a baseline, and --against measures its base itself")
    if flags["runs"] > 1:
        raise pipeline.OptionsError("--runs repeats a whole run; --against has blocks instead: --blocks")
    if flags["profile"] is not None:
        raise pipeline.OptionsError("--profile slows a side down; leave it out, or leave out --against")
    keeping.check("bench", flags, storage)
    with shown() as progress:
        planned = pipeline.plan_against(options, flags["against"], storage.home, progress)
    with shown(planned.plan) as progress:
        run = pipeline.run_against(planned, terms=storage.terms, record=flags["json"], progress=progress)
    with run_failed():
        if flags["json"] is not None:
            pipeline.save_record(flags["json"], run, pipeline.analyse(run, options.confidence_level))
        return print_stages(run)


def print_stages(run: Run) -> int:
    """Print what a run of ``--against`` found, from its record alone, on the terms that it states; the exit status."""
    from web_terminal_suite.bench.analysis.comparison.runs import exit_code
    from web_terminal_suite.bench.pipeline import compare
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text import baseline_comparison

    compared = compare(("this run", run))
    code = exit_code(compared)
    baseline_comparison.print_comparison(console_for(), compared, code)
    return code


def option() -> Callable[[FC], FC]:
    return click.option(
        "--against",
        metavar="REF",
        default="",
        help="Measure the server of another revision in turn with this one: a git ref, a wheel, a virtual "
        "environment, or a URL. Two stages; only what is confirmed counts.",
    )
