"""``web-terminal load``: a load carried out, judged, compared and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from web_terminal_suite.cli import parameters, verdict
from web_terminal_suite.cli.exit_status import RUN_FAILED, ends_at, needs_bench_extra
from web_terminal_suite.cli.options import scenario

if TYPE_CHECKING:
    from web_terminal_suite.bench.pipeline import LoadOptions, StorageOptions
    from web_terminal_suite.bench.samples import Run

REPORT = "load.html"


@click.command()
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
    with needs_bench_extra("load"):
        from web_terminal_suite.bench.load.progress_view import open_view
        from web_terminal_suite.bench.pipeline import find_base, plan_load, run_load

    with ends_at("load"):
        options, storage = scenario.load_options(flags), scenario.storage_options(flags)
        verdict.check_directory(flags["json"])
        test = plan_load(options)
        base = find_base(storage).run if storage.choice.compare_with else None
        with open_view() as view:
            run = run_load(test, record=flags["json"], progress=view)
    raise click.exceptions.Exit(_judge(run, base, options, storage, flags))


def _judge(run: Run, base: Run | None, options: LoadOptions, storage: StorageOptions, flags: dict[str, Any]) -> int:
    """Print what was found, keep it, and give the exit status."""
    from web_terminal_suite.bench import pipeline

    with ends_at("load", RUN_FAILED):
        analysis, status = verdict.print_run(run, options.confidence_level)
        if flags["json"] is not None:
            pipeline.save_record(flags["json"], run, analysis)
        slower = 0 if base is None else verdict.print_comparison(base, run, storage)
        pipeline.keep(run, analysis, storage)
        if not flags["noplot"]:
            click.echo(verdict.report_line(run, analysis, base, storage, REPORT))
        return status if status == RUN_FAILED else slower or status
