"""``web-terminal bench``: measure, judge, compare and keep."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from web_terminal_suite.cli import parameters, verdict
from web_terminal_suite.cli.exit_status import RUN_FAILED, ends_at, fail, needs_bench_extra

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from web_terminal_suite.bench.pipeline import BenchOptions, Plan, StorageOptions
    from web_terminal_suite.bench.samples import Run

_AT_LEAST_ONE = click.IntRange(min=1)
_NOT_NEGATIVE = click.FloatRange(min=0)


@click.command()
@click.argument(
    "filters", nargs=-1, metavar="[FILTER]...", help="Regular expressions on suite/benchmark/parameter. (default: all)"
)
@parameters.flag("--list", "Name the benchmarks and measure nothing.", "list_")
@parameters.flag("--quick", "Fewer and shorter measurements; some go undecided.")
@parameters.flag("--full", "Also what takes minutes: 10,000 sessions, 100 MB, 60 s stalls.")
@click.option("--sample-size", type=_AT_LEAST_ONE, help="Operations of each benchmark. (default: 400, quick: 100)")
@click.option("--warm-up-time", type=_NOT_NEGATIVE, help="Seconds for each benchmark. (default: 0.1)")
@click.option(
    "--measurement-time",
    type=_NOT_NEGATIVE,
    help="Seconds after which fewer operations will do. (default: 1, quick: 0.5)",
)
@parameters.confidence_level()
@click.option("--seed", type=int, help="Order, markers, delays follow from it. (default: random)")
@parameters.several(
    "--terminal",
    "What to measure, several times for several at once: web-terminal, ttyd, gotty, terminado, jupyter-server, wetty, "
    "node-pty; or all. (default: web-terminal)",
    metavar="NAME",
)
@parameters.several(
    "--url",
    "Measure a server that runs already: ours, or ttyd=http://127.0.0.1:7681/.",
    metavar="[NAME=]URL",
)
@parameters.token()
@parameters.record_file()
@click.option("--blocks", type=_AT_LEAST_ONE, help="Rounds that operations are spread over. (default: 5, quick: 2)")
@click.option(
    "--precision",
    type=click.FloatRange(0.001, 10),
    help="Go on until the interval is this narrow, such as 0.1, or time is up.",
)
@click.option(
    "--runs",
    type=_AT_LEAST_ONE,
    default=1,
    show_default=True,
    help="Measure this often, one run after the other; they are compared and saved together.",
)
@parameters.flag("--fixed", "The sample size whatever is found: no less of what is clear, no more.")
@click.option(
    "--save-baseline",
    metavar="NAME",
    default="",
    help="Compare with NAME if it is there, and save as NAME. (default: base)",
)
@click.option("--baseline", metavar="NAME", default="", help="Compare with NAME, save nothing.")
@click.option("--baseline-lenient", metavar="NAME", default="", help="As --baseline, if NAME is there.")
@click.option("--load-baseline", metavar="NAME", default="", help="Take NAME for the new run and measure nothing.")
@parameters.flag("--retain-baseline", "Compare with the last run saved, and keep that.")
@parameters.flag("--discard-baseline", "As --retain-baseline, if there is one.")
@parameters.noise_threshold("Relative difference from a baseline that does not matter.")
@parameters.significance_level("Probability of a false alarm in any row of a comparison.")
@parameters.resamples("Resamples behind every ratio to a baseline.")
@parameters.flag("--self-check", "Measure one terminal as two and state the false alarms.")
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
        _list(flags["filters"])
        return
    with needs_bench_extra("bench"):
        from web_terminal_suite.bench.pipeline import plan

    began = time.monotonic()
    with ends_at("bench"):
        options, storage = _bench_options(flags), _storage_options(flags)
        verdict.check_directory(flags["json"])
        plans = [plan(numbered(options, number)) for number in range(flags["runs"])]
        runs, base = _runs_and_base(plans, options, storage, flags)
    status = _judge(runs, base, options, storage, flags)
    click.echo(f"took {time.monotonic() - began:.0f} s")
    raise click.exceptions.Exit(status)


def _list(filters: tuple[str, ...]) -> None:
    from web_terminal_suite.cli.listing import print_names

    try:
        print_names(filters)
    except ValueError as error:
        fail("bench", str(error))


def _bench_options(flags: dict[str, Any]) -> BenchOptions:
    from web_terminal_suite.bench.pipeline import BenchOptions

    same = ("filters", "quick", "full", "sample_size", "blocks", "precision", "confidence_level", "seed", "token")
    return BenchOptions(
        **{name: flags[name] for name in (*same, "self_check")},
        terminals=flags["terminal"],
        urls=flags["url"],
        warm_up_seconds=flags["warm_up_time"],
        measurement_seconds=flags["measurement_time"],
        adaptive=not flags["fixed"],
    )


def _storage_options(flags: dict[str, Any]) -> StorageOptions:
    from web_terminal_suite.bench.pipeline import OptionsError, StorageOptions, choose, home

    choice = choose(
        save=flags["save_baseline"],
        baseline=flags["baseline"],
        lenient=flags["baseline_lenient"],
        load=flags["load_baseline"],
        retain=flags["retain_baseline"],
        discard=flags["discard_baseline"],
    )
    if flags["self_check"] and choice != choose():
        raise OptionsError("--self-check compares a terminal with itself and takes no baseline")
    return StorageOptions(
        home=home(flags["home"]),
        choice=choice,
        terms=parameters.terms(
            level=flags["confidence_level"],
            significance=flags["significance_level"],
            noise=flags["noise_threshold"],
            resamples=flags["nresamples"],
        ),
        force=flags["force"],
        history=not flags["no_history"],
        complete=not flags["filters"] and not flags["quick"],
    )


def _runs_and_base(
    plans: Sequence[Plan], options: BenchOptions, storage: StorageOptions, flags: dict[str, Any]
) -> tuple[list[Run], tuple[Run, ...]]:
    """The runs, measured or loaded, and those to compare them with, which are looked up first."""
    from web_terminal_suite.bench import pipeline
    from web_terminal_suite.cli.progress import shown

    loaded = storage.baselines.load_set(storage.choice.load) if storage.choice.load else ()
    base: tuple[Run, ...] = ()
    if not options.self_check:
        base, reason = pipeline.find_base(storage, loaded[-1].machine if loaded else None)
        if reason:
            click.echo(f"web-terminal bench: {reason}", err=True)
    if loaded:
        return list(loaded), base
    runs = []
    for number, plan in enumerate(plans):
        if number:
            click.echo(f"run {number + 1} of {len(plans)}", err=True)
        with shown(len(plan.slots)) as progress:
            record = record_file(flags["json"], number)
            runs.append(pipeline.run(plan, record=record, profiles=flags["profile"], progress=progress))
        if runs[-1].interrupted:
            break
    return runs, base


def numbered(options: BenchOptions, number: int) -> BenchOptions:
    """The options of one of several runs: with a given seed each has another, or all would have the same order."""
    return options if options.seed is None else replace(options, seed=options.seed + number)


def record_file(path: Path | None, number: int) -> Path | None:
    """``run.json`` of the first run, ``run-2.json`` of the second."""
    if path is None or number == 0:
        return path
    return path.with_name(f"{path.stem}-{number + 1}{path.suffix}")


def _judge(
    runs: Sequence[Run], base: tuple[Run, ...], options: BenchOptions, storage: StorageOptions, flags: dict[str, Any]
) -> int:
    """Print what was found, keep it, and give the exit status. Of several runs the last is printed whole."""
    from web_terminal_suite.bench import pipeline

    with ends_at("bench", RUN_FAILED):
        earlier = [verdict.judge_earlier(run, number, options.confidence_level)
                   for number, run in enumerate(runs[:-1], start=1)]  # fmt: skip
        analysis, status = verdict.print_run(runs[-1], options.confidence_level)
        judged = [*(found for found, _ in earlier), analysis]
        for number, (run, found) in enumerate(zip(runs, judged, strict=True)):
            if (path := record_file(flags["json"], number)) is not None:
                pipeline.save_record(path, run, found)
        if options.self_check:
            claim = verdict.print_self_check(pipeline.self_check(runs[-1], storage.terms))
            return status if status == RUN_FAILED else claim
        verdict.print_terminals(runs[-1], analysis)
        compared = verdict.print_comparison(base, runs, storage) if base else 0
        for number, (run, found) in enumerate(zip(runs, judged, strict=True) if not storage.choice.load else ()):
            for line in pipeline.keep(run, found, storage, together=number > 0):
                click.echo(f"web-terminal bench: {line}", err=True)
        if not flags["noplot"]:
            click.echo(verdict.report_line(runs[-1], analysis, base, storage))
        return verdict.worst(status, compared, *(code for _, code in earlier))
