"""``web-terminal validate RUN``: judge a record again and say what it amounts to.

The verdicts are computed from the samples in the record. Those that it states are only compared with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from web_terminal_suite.cli import parameters, records
from web_terminal_suite.cli.against import print_stages
from web_terminal_suite.cli.exit_status import Subcommand

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.record import StoredResult


@click.command(cls=Subcommand)
@parameters.run("A record file, what an interrupted run has left, or the name of a baseline.")
@click.option("--figures/--no-figures", default=False, help="Also list what was measured without a target.")
@parameters.home("baselines are")
def validate(run: str, figures: bool, home: Path | None) -> None:
    """Print each target of a record with its verdict, computed again from the samples.

    The intervals are at the confidence level that the record was made with.

    Of a run of bench --against: what changed on the terms that the run was made with, and the exit code of that
    command.

    Exit code: 0 all pass, 1 a target failed, 2 not a record, 3 not all are decided, 4 the run itself failed.
    """
    from web_terminal_suite.bench.analysis import exit_code
    from web_terminal_suite.bench.analysis.comparison.stages import stages_of
    from web_terminal_suite.bench.pipeline import analyse
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text.report import print_report

    stored = records.stored(run, home)
    if stages_of(stored.run) is not None:
        # Two revisions next to each other: what counts is the comparison, and the targets of neither.
        raise click.exceptions.Exit(print_stages(stored.run))
    analysis = analyse(stored.run)
    console = console_for()
    print_report(console, analysis, stored.run.machine, with_figures=figures)
    for line in differences(analysis, stored.results):
        console.print(line, style="bold red", markup=False, soft_wrap=True)
    raise click.exceptions.Exit(int(exit_code(analysis)))


def differences(analysis: Analysis, stored: tuple[StoredResult, ...]) -> list[str]:
    """Where the file's own verdicts are not those that its samples give; nothing where it states none."""
    if not stored:
        return []
    found = {
        (result.cell.benchmark, result.cell.parameter, result.cell.terminal, result.metric.name): (
            str(result.cell),
            str(result.judgement.verdict),
        )
        for result in analysis.results
    }
    stated = {(each.id, each.parameter, each.terminal, each.metric): each.verdict for each in stored}
    lines = [
        f"{name}, {key[3]}: the file says {stated[key]}, its samples say {verdict}"
        for key, (name, verdict) in found.items()
        if key in stated and stated[key] != verdict
    ]
    lines += [f"{key[0]}, {key[3]}: the file states no result" for key in found.keys() - stated.keys()]
    return lines + [
        f"{key[0]}, {key[3]}: the file states a result without a record" for key in stated.keys() - found.keys()
    ]
