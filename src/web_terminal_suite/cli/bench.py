"""``web-terminal bench``: measure, judge, compare and keep."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from web_terminal_suite.cli import completion, keeping, parameters, verdict
from web_terminal_suite.cli.exit_status import RUN_FAILED, Subcommand, run_failed, say
from web_terminal_suite.cli.options import baselines, measurement
from web_terminal_suite.cli.options.terminals import terminals

if TYPE_CHECKING:
    from web_terminal_suite.bench.pipeline import BenchOptions, Plan, StorageOptions
    from web_terminal_suite.bench.samples import Run

_FEWEST_BLOCKS = 5
"""Of a cell for an interval, and so for a comparison."""


@click.command(cls=Subcommand)
@click.argument(
    "filters",
    nargs=-1,
    metavar="[FILTER]...",
    shell_complete=completion.benchmarks,
    help="Regular expressions on suite/benchmark/parameter. Any may match, but the name of a suite is narrowed by "
    "those that match in it, as in: session_creation lookup. (default: all)",
)
@parameters.flag("--list", "Name the benchmarks and measure nothing.", "list_")
@measurement.amount
@terminals
@parameters.extension("benchmarks or terminals")
@parameters.record_file()
@measurement.stopping
@baselines.baselines
@baselines.comparison
@click.option(
    "--profile",
    type=parameters.PATH,
    metavar="DIR",
    help="Record the servers under py-spy and draw flame graphs into DIR.",
)
@parameters.no_plot()
@parameters.no_history()
@parameters.home("baselines and history are")
@parameters.force()
def bench(**flags: Any) -> None:
    """Measure web terminals, ours by default, and judge them by their targets and by an earlier run.

    Exit status: 0 all targets kept, 1 one missed or something slower than the baseline asked for, 2 wrong usage, 3
    undecided, 4 the run itself failed. With --self-check: 0 the claim is kept, 1 broken, 3 undecided.
    """
    if flags["list_"]:
        from web_terminal_suite.cli.listing import print_names

        print_names(flags["filters"], flags["extension"])
        return
    from web_terminal_suite.bench.pipeline import plan

    began = time.monotonic()
    options, storage = measurement.bench_options(flags), baselines.storage_options(flags)
    run, base = _run_and_base(plan(options), options, storage, flags)
    with run_failed():
        status = _judge(run, base, options, storage, flags)
        click.echo(f"took {time.monotonic() - began:.0f} s")
    raise click.exceptions.Exit(status)


def _run_and_base(
    plan: Plan, options: BenchOptions, storage: StorageOptions, flags: dict[str, Any]
) -> tuple[Run, Run | None]:
    """The run, measured or loaded, and what to compare it with, which is looked up first."""
    from web_terminal_suite.bench import pipeline
    from web_terminal_suite.cli.progress import shown

    loaded = storage.baselines.load(storage.choice.load) if storage.choice.load else None
    base = None
    if not options.self_check:
        base, reason = pipeline.find_base(storage, None if loaded is None else loaded.machine)
        if reason:
            say(reason, "bench")
    keeping.check("bench", flags, storage)
    if loaded is not None:
        return loaded, base
    if plan.options.quick and plan.options.blocks < _FEWEST_BLOCKS:
        say(
            f"--quick measures {plan.options.blocks} blocks: no intervals and no comparison, which need "
            f"{_FEWEST_BLOCKS}",
            "bench",
        )
    with shown(plan) as progress:
        return pipeline.run(plan, record=flags["json"], profiles=flags["profile"], progress=progress), base


def _judge(run: Run, base: Run | None, options: BenchOptions, storage: StorageOptions, flags: dict[str, Any]) -> int:
    """Keep what was found, then print it; the exit status."""
    from web_terminal_suite.bench import pipeline

    analysis = pipeline.analyse(run, options.confidence_level)
    kept = keeping.keep(run, analysis, base, storage, flags)
    status = verdict.print_run(run, analysis)
    if options.self_check:
        claim = verdict.print_self_check(pipeline.self_check(run, storage.terms))
        kept.print()
        return status if status == RUN_FAILED else claim
    verdict.print_terminals(run, analysis)
    slower = 0 if base is None else verdict.print_comparison(base, run, storage)
    kept.print()
    return verdict.status_of(status, slower)
