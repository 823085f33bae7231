"""``web-terminal load``: a load carried out, judged, compared and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from web_terminal_suite.cli import keeping, parameters, verdict
from web_terminal_suite.cli.exit_status import RUN_FAILED, Subcommand, run_failed
from web_terminal_suite.cli.options import scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.pipeline import LoadOptions, StorageOptions
    from web_terminal_suite.bench.samples import Run

REPORT = "load.html"

TARGET_MISSED = 1


@click.command(cls=Subcommand)
@scenario.scenario
@scenario.terminal
@scenario.clients
@parameters.network()
@parameters.confidence_level()
@parameters.record_file()
@scenario.baselines
@parameters.force()
@parameters.no_plot()
@parameters.no_history()
@parameters.home("baselines and history are")
def load(**flags: Any) -> None:
    """Load a web terminal: sessions arrive at a rate, people type and programs print, and everything is counted.

    Exit status: 0 every expectation holds, 1 one is missed (or something is slower than --baseline), 2 wrong usage, 3
    undecided, 4 the load itself failed.
    """
    from web_terminal_suite.bench.load.progress_view import open_view
    from web_terminal_suite.bench.pipeline import find_base, plan_load, run_load

    options, storage = scenario.load_options(flags), scenario.storage_options(flags)
    test = plan_load(options)
    base = find_base(storage, network=test.network).runs if storage.choice.compare_with else ()
    keeping.check("load", flags, storage)
    with open_view() as view:
        run = run_load(test, record=flags["json"], progress=view)
    with run_failed():
        ending, is_printed = _judge(run, base, options, storage, flags)
        if not is_printed:
            verdict.print_end(ending)
    raise click.exceptions.Exit(ending.status)


def _judge(
    run: Run, base: Sequence[Run], options: LoadOptions, storage: StorageOptions, flags: dict[str, Any]
) -> tuple[verdict.Ending, bool]:
    """Keep what was found, then print it: what the command ends with, and whether that is printed."""
    from web_terminal_suite.bench.pipeline import analyse
    from web_terminal_suite.bench.samples import ABORTED

    analysis = analyse(run, options.confidence_level)
    kept = keeping.keep([(run, analysis)], base, storage, flags, REPORT)
    is_alone = not (ABORTED in run.options or kept.problems or (base and storage.is_explicit))
    ending = verdict.print_run(run, analysis, ends=is_alone)
    compared = verdict.print_comparison(base, run, storage) if base else None
    kept.print()
    found = verdict.worst(ending, compared)
    if ABORTED in run.options and found.status != RUN_FAILED:
        return verdict.Ending(TARGET_MISSED, f"aborted: {run.options[ABORTED]}"), is_alone
    return found, is_alone
