"""``web-terminal load``: a load carried out, judged, compared and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from web_terminal_suite.cli import parameters, verdict
from web_terminal_suite.cli.exit_status import RUN_FAILED, ends_at, needs_bench_extra

if TYPE_CHECKING:
    from web_terminal_suite.bench.pipeline import LoadOptions, StorageOptions
    from web_terminal_suite.bench.samples import Run

REPORT = "load.html"
_LAST = "load"
"""What a load is saved as, so that ``web-terminal report load`` shows the last one."""

_ABOVE_ZERO = click.FloatRange(min=1e-3)
_AT_LEAST_ONE = click.IntRange(min=1)


@click.command()
@click.option("--sessions", type=_AT_LEAST_ONE, help="How many there shall be. (default: 100)")
@click.option("--ramp", type=_ABOVE_ZERO, metavar="R", help="Sessions that arrive in a second. (default: 100)")
@click.option("--duration", type=_ABOVE_ZERO, metavar="S", help="Seconds, once all have arrived. (default: 30)")
@click.option(
    "--typing",
    type=click.FloatRange(min=0),
    metavar="KEYS/S",
    help="Of all who type, together. (default: 100)",
)
@click.option("--active", metavar="SHARE", help="Who types: 50%, 0.5, or 3 sessions. (default: 50%)")
@click.option(
    "--output",
    type=click.Choice(["none", "steady", "bursts", "flood"]),
    metavar="PROFILE",
    help="none, steady, bursts or flood. (default: none)",
)
@click.option("--emitting", metavar="SHARE", help="Whose session prints. (default: 10%; of floods 1)")
@click.option("--lines", type=_ABOVE_ZERO, help="Lines a second of a steady session. (default: 1)")
@click.option("--reconnecting", metavar="SHARE", help="Whose network is lost every 10 seconds. (default: none)")
@click.option("--resizing", metavar="SHARE", help="Who changes the size every 5 seconds. (default: none)")
@click.option(
    "--scenario",
    type=parameters.PATH,
    metavar="FILE",
    help="Stages and mixes, as TOML; flags above replace what it says.",
)
@parameters.several("--expect", "Such as 'keystroke.p95<2ms'; may be given several times.", metavar="THRESHOLD")
@click.option("--seed", type=int, help="Who does what when follows from it. (default: random)")
@click.option(
    "--terminal",
    metavar="NAME",
    default="",
    help="What to load; null-server is the clients alone. (default: ours)",
)
@click.option(
    "--url",
    metavar="[NAME=]URL",
    default="",
    help="Load a server that runs already: ours, or ttyd=http://...",
)
@parameters.token()
@click.option("--clients", type=_AT_LEAST_ONE, help="Client processes. (default: from sessions, keys and processors)")
@click.option("--addresses", type=_AT_LEAST_ONE, help="Loopback addresses to dial from. (default: as many as needed)")
@click.option(
    "--scheduler", metavar="ADDRESS", default="", help="Clients on the workers of a Dask cluster: tcp://host:8786"
)
@parameters.confidence_level()
@parameters.record_file()
@click.option("--save-baseline", metavar="NAME", default=_LAST, show_default=True, help="Save the load as NAME.")
@click.option("--baseline", metavar="NAME", default="", help="Compare with NAME.")
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
        options = _load_options(flags)
        storage = _storage_options(flags)
        test = plan_load(options)
        base = find_base(storage).runs if storage.choice.compare_with else ()
        with open_view() as view:
            run = run_load(test, record=flags["json"], progress=view)
    raise click.exceptions.Exit(_judge(run, base, options, storage, flags))


def _load_options(flags: dict[str, Any]) -> LoadOptions:
    from web_terminal_suite.bench.pipeline import LoadOptions, OutputProfile

    names = (
        "sessions", "ramp", "duration", "typing", "active", "emitting", "lines", "reconnecting", "resizing", "scenario",
        "seed", "terminal", "url", "token", "clients", "addresses", "scheduler", "confidence_level",
    )  # fmt: skip
    output = flags["output"]
    return LoadOptions(
        **{name: flags[name] for name in names},
        output=None if output is None else OutputProfile(output),
        thresholds=flags["expect"],
    )


def _storage_options(flags: dict[str, Any]) -> StorageOptions:
    from web_terminal_suite.bench.baselines import check_name
    from web_terminal_suite.bench.pipeline import Choice, StorageOptions, home

    verdict.check_directory(flags["json"])
    for name in (flags["save_baseline"], flags["baseline"]):
        if name:
            check_name(name)
    level = flags["confidence_level"]
    return StorageOptions(
        home=home(flags["home"]),
        choice=Choice(flags["baseline"], must_exist=bool(flags["baseline"]), save_as=flags["save_baseline"]),
        terms=parameters.terms(level=level, significance=1 - level),
        force=flags["force"],
        history=not flags["no_history"],
        complete=False,
    )


def _judge(
    run: Run, base: tuple[Run, ...], options: LoadOptions, storage: StorageOptions, flags: dict[str, Any]
) -> int:
    """Print what was found, keep it, and give the exit status."""
    from web_terminal_suite.bench import pipeline

    with ends_at("load", RUN_FAILED):
        analysis, status = verdict.print_run(run, options.confidence_level)
        if flags["json"] is not None:
            pipeline.save_record(flags["json"], run, analysis)
        compared = verdict.print_comparison(base, run, storage) if base else 0
        for line in pipeline.keep(run, analysis, storage):
            click.echo(f"web-terminal load: {line}", err=True)
        if not flags["noplot"]:
            click.echo(verdict.report_line(run, analysis, base, storage, REPORT))
        return verdict.worst(status, compared)
