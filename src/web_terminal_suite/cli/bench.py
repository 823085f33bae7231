"""``web-terminal bench``: measure, judge, compare and keep."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from web_terminal_suite.cli import against, completion, keeping, parameters, verdict
from web_terminal_suite.cli.exit_status import RUN_FAILED, Subcommand, run_failed, say
from web_terminal_suite.cli.options import baselines, measurement
from web_terminal_suite.cli.options.terminals import terminals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.pipeline import BenchOptions, Plan, StorageOptions
    from web_terminal_suite.bench.samples import Run


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
@parameters.network()
@against.option()
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
    began = time.monotonic()
    options, storage = measurement.bench_options(flags), baselines.storage_options(flags)
    if flags["against"]:
        raise click.exceptions.Exit(against.bench_against(options, storage, flags))
    runs, base = _runs_and_base(options, storage, flags)
    with run_failed():
        ending, is_printed = _judge(runs, base, options, storage, flags)
        click.echo(f"took {time.monotonic() - began:.0f} s")
        if not is_printed:
            verdict.print_end(ending)
    raise click.exceptions.Exit(ending.status)


def _runs_and_base(
    options: BenchOptions, storage: StorageOptions, flags: dict[str, Any]
) -> tuple[Sequence[Run], Sequence[Run]]:
    """The runs, measured or loaded, and those to compare them with, which are looked up first."""
    from web_terminal_suite.bench import pipeline
    from web_terminal_suite.bench.stats.blocks import FEWEST_BLOCKS

    plans = [pipeline.plan(numbered(options, number)) for number in range(flags["runs"])]
    loaded = storage.baselines.load_set(storage.choice.load) if storage.choice.load else ()
    base: Sequence[Run] = ()
    if not options.self_check:
        base, reason = pipeline.find_base(storage, loaded[-1].machine if loaded else None, plans[0].network)
        if reason:
            say(reason, "bench")
    keeping.check("bench", flags, storage)
    if loaded:
        return loaded, base
    if options.quick and plans[0].options.blocks < FEWEST_BLOCKS:
        say(
            f"--quick measures {plans[0].options.blocks} blocks: no intervals and no comparison, which need "
            f"{FEWEST_BLOCKS}",
            "bench",
        )
    return _measure(plans, flags), base


def _measure(plans: Sequence[Plan], flags: dict[str, Any]) -> Sequence[Run]:
    """One run after the other, up to one that is interrupted."""
    from web_terminal_suite.bench import pipeline
    from web_terminal_suite.cli.progress import shown

    runs: list[Run] = []
    for number, plan in enumerate(plans):
        if number:
            say(f"run {number + 1} of {len(plans)}", "bench")
        record = keeping.record_file(flags["json"], number)
        with shown(plan) as progress:
            runs.append(pipeline.run(plan, record=record, profiles=flags["profile"], progress=progress))
        if runs[-1].interrupted:
            break
    return runs


def numbered(options: BenchOptions, number: int) -> BenchOptions:
    """The options of one of several runs: with a given seed each has another, or all would have the same order."""
    return options if options.seed is None else replace(options, seed=options.seed + number)


def _judge(
    runs: Sequence[Run],
    base: Sequence[Run],
    options: BenchOptions,
    storage: StorageOptions,
    flags: dict[str, Any],
) -> tuple[verdict.Ending, bool]:
    """Keep what was found, then print it: what the command ends with, and whether that is printed.

    Of several runs the last is printed whole.
    """
    from web_terminal_suite.bench import pipeline

    judged = [(run, pipeline.analyse(run, options.confidence_level)) for run in runs]
    kept = keeping.keep(judged, base, storage, flags)
    earlier = [verdict.print_earlier(found, number) for number, (_, found) in enumerate(judged[:-1], start=1)]
    run, analysis = judged[-1]
    is_alone = not (earlier or options.self_check or kept.problems or (base and storage.is_explicit))
    ending = verdict.print_run(run, analysis, ends=is_alone)
    if options.self_check:
        claim = verdict.print_self_check(pipeline.self_check(run, storage.terms))
        kept.print()
        return (ending if ending.status == RUN_FAILED else claim), False
    verdict.print_terminals(run, analysis)
    compared = verdict.print_comparison(base, runs, storage) if base else None
    kept.print()
    return verdict.worst(ending, compared, *earlier), is_alone
