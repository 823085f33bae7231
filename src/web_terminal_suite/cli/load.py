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
    base = find_base(storage).runs if storage.choice.compare_with else ()
    keeping.check("load", flags, storage)
    with open_view() as view:
        run = run_load(test, record=flags["json"], progress=view)
    with run_failed():
        status = _judge(run, base, options, storage, flags)
    raise click.exceptions.Exit(status)


def _judge(run: Run, base: Sequence[Run], options: LoadOptions, storage: StorageOptions, flags: dict[str, Any]) -> int:
    """Keep what was found, then print it; the exit status."""
    from web_terminal_suite.bench.pipeline import analyse
    from web_terminal_suite.bench.samples import ABORTED

    analysis = analyse(run, options.confidence_level)
    kept = keeping.keep([(run, analysis)], base, storage, flags, REPORT)
    status = verdict.print_run(run, analysis)
    compared = verdict.print_comparison(base, run, storage) if base else 0
    kept.print()
    if ABORTED in run.options and RUN_FAILED not in (status, compared):
        return TARGET_MISSED
    return verdict.worst(status, compared)
