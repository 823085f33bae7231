"""``web-terminal bench``: flags to a plan, the plan carried out, the record judged and shown."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.bench.plan import Options, Plan
    from web_terminal_suite.bench.progress import Progress
    from web_terminal_suite.bench.samples import Run, Trial
    from web_terminal_suite.cli.keeping import Keeping, Wishes

_USAGE = 2
_RUN_FAILED = 4


def bench(
    filters: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILTER]...", help="Regular expressions on suite/benchmark/parameter. (default: all)"),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Name the benchmarks and measure nothing.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and shorter measurements; some go undecided.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Also what takes minutes: 10,000 sessions, 100 MB, 60 s stalls.")
    ] = False,
    sample_size: Annotated[
        int | None, typer.Option(min=1, help="Operations of each benchmark. (default: 400, quick: 100)")
    ] = None,
    warm_up_time: Annotated[
        float | None, typer.Option(min=0, help="Seconds for each benchmark. (default: 0.2, quick: 0.1)")
    ] = None,
    measurement_time: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds after which fewer operations will do. (default: 1, quick: 0.5)"),
    ] = None,
    confidence_level: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Of every interval.")] = 0.95,
    seed: Annotated[int | None, typer.Option(help="Order, markers, delays follow from it. (default: random)")] = None,
    terminal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What to measure, several times for several at once: web-terminal, ttyd, gotty, terminado, "
            "jupyter-server, wetty, node-pty; or all. (default: web-terminal)",
        ),
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]URL", help="Measure a server that runs already: ours, or ttyd=http://127.0.0.1:7681/."
        ),
    ] = None,
    token: Annotated[str, typer.Option(envvar="WEB_TERMINAL_TOKEN", help="For --url, where the URL has none.")] = "",
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write record and results there.")] = None,
    blocks: Annotated[
        int | None, typer.Option(min=1, help="Rounds that operations are spread over. (default: 5, quick: 2)")
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(min=0.001, max=10, help="Go on until the interval is so narrow, such as 0.1, or time is up."),
    ] = None,
    fixed: Annotated[
        bool, typer.Option("--fixed", help="The sample size whatever is found: no less of what is clear, no more.")
    ] = False,
    save_baseline: Annotated[
        str, typer.Option(metavar="NAME", help="Compare with NAME if it is there, and save as NAME. (default: base)")
    ] = "",
    baseline: Annotated[str, typer.Option(metavar="NAME", help="Compare with NAME, save nothing.")] = "",
    baseline_lenient: Annotated[str, typer.Option(metavar="NAME", help="As --baseline, if NAME is there.")] = "",
    load_baseline: Annotated[
        str, typer.Option(metavar="NAME", help="Take NAME for the new run and measure nothing.")
    ] = "",
    retain_baseline: Annotated[
        bool, typer.Option("--retain-baseline", help="Compare with the last run saved, and keep that.")
    ] = False,
    discard_baseline: Annotated[
        bool, typer.Option("--discard-baseline", help="As --retain-baseline, if there is one.")
    ] = False,
    noise_threshold: Annotated[
        float, typer.Option(min=0, help="Relative difference from a baseline that does not matter.")
    ] = 0.05,
    significance_level: Annotated[
        float, typer.Option(min=1e-6, max=0.5, help="Probability of a false alarm in any row of a comparison.")
    ] = 0.05,
    nresamples: Annotated[int, typer.Option(min=100, help="Resamples behind every ratio to a baseline.")] = 1_000,
    self_check: Annotated[
        bool, typer.Option("--self-check", help="Measure one terminal as two and state the false alarms.")
    ] = False,
    profile: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Record the servers under py-spy and draw flame graphs into DIR."),
    ] = None,
    noplot: Annotated[bool, typer.Option("--noplot", help="Write no HTML report.")] = False,
    no_history: Annotated[bool, typer.Option("--no-history", help="Add nothing to the history.")] = False,
    home: Annotated[
        Path | None, typer.Option(help="Where baselines and history are. (default: ./.web-terminal-bench)")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Compare with a baseline of another machine.")] = False,
) -> None:
    """Measure web terminals, ours by default, and judge them by their targets and by an earlier run.

    Exit status: 0 all targets kept, 1 one missed or something slower than the baseline asked for, 2 wrong usage,
    3 undecided, 4 the run itself failed. With --self-check: 0 the claim is kept, 1 broken, 3 undecided.
    """
    import secrets

    from web_terminal_suite.bench.machine.descriptors import raise_descriptors
    from web_terminal_suite.bench.plan import QUICK, NothingMatches, Options, make_plan
    from web_terminal_suite.bench.suites.catalogue import CATALOGUE
    from web_terminal_suite.bench.terminals.registry import UnknownTerminal, choose
    from web_terminal_suite.cli.keeping import KeepingError, Wishes, doubled
    from web_terminal_suite.cli.listing import print_names

    given = {
        "sample_size": sample_size,
        "warm_up_seconds": warm_up_time,
        "measurement_seconds": measurement_time,
        "confidence_level": confidence_level,
        "seed": secrets.randbelow(1 << 32) if seed is None else seed,
        "blocks": blocks,
        "precision": precision,
        "full": full or None,
        "adaptive": False if fixed else None,
    }
    options = _replaced(QUICK if quick else Options(), given)
    try:
        if list_:
            print_names(filters or ())
            return
        # Before the limits are read; the servers inherit it.
        raise_descriptors()
        terminals = choose(terminal or (), url or (), token, options.seed)
        if self_check:
            terminals = doubled(terminals)
        plan = make_plan(CATALOGUE, terminals, filters or (), options, _shortage())
    except (NothingMatches, UnknownTerminal, KeepingError, ValueError) as error:
        _fail(_USAGE, str(error))
    if json is not None and not json.parent.is_dir():
        _fail(_USAGE, f"--json {json}: there is no directory {json.parent}")
    wishes = Wishes(
        save=save_baseline,
        baseline=baseline,
        lenient=baseline_lenient,
        load=load_baseline,
        retain=retain_baseline,
        discard=discard_baseline,
        noise=noise_threshold,
        significance=significance_level,
        resamples=nresamples,
        level=confidence_level,
        home=home,
        force=force,
        history=not no_history,
        self_check=self_check,
        whole=not filters and not quick,
    )
    _measure_and_judge(plan, json, wishes, profile, plot=not noplot)


def _shortage() -> Callable[[int], str]:
    """Why this machine cannot hold so many sessions at once; its limits are read once, when first asked."""
    from functools import cache

    from web_terminal_suite.bench.machine import read_limits
    from web_terminal_suite.bench.workload.capacity import shortage

    limits = cache(read_limits)
    return lambda sessions: shortage(sessions, limits())


def _measure_and_judge(plan: Plan, json: Path | None, wishes: Wishes, profiles: Path | None, *, plot: bool) -> None:
    try:
        from web_terminal_suite.bench.analysis import analyse, exit_code
        from web_terminal_suite.bench.report.console import console_for
        from web_terminal_suite.bench.report.text.report import print_report
    except ModuleNotFoundError as error:
        if error.name not in ("numpy", "scipy", "psutil"):
            raise
        _fail(_USAGE, f"{error.name} is missing: install it with: pip install 'web-terminal-suite[bench]'")
    from web_terminal_suite.bench.record import RecordError
    from web_terminal_suite.bench.report.export import json as json_report
    from web_terminal_suite.cli import keeping as keep

    began = time.monotonic()
    try:
        keeping = wishes.keeping()
        run, base = _run_and_base(plan, json, keeping, wishes.self_check, profiles)
    except (RecordError, keep.KeepingError) as error:
        _fail(_USAGE, str(error))
    analysis = analyse(run, plan.options.confidence_level)
    console = console_for()
    print_report(console, analysis, run.machine)
    if json is not None:
        try:
            json_report.write(json, run, analysis)
        except RecordError as error:
            _fail(_RUN_FAILED, str(error))
        _trial_file(json).unlink(missing_ok=True)
    code = int(exit_code(analysis))
    try:
        if wishes.self_check:
            found = keep.self_checked(console, keeping.terms, run)
            _end(began, code if code == _RUN_FAILED else found)
        keep.beside_each_other(console, run, analysis)
        worse = 0 if base is None else keep.compared(console, keeping, base, run)
        if not keeping.choice.load:
            keep.kept(keeping, run, analysis)
        if plot:
            from web_terminal_suite.cli.report import beside

            earlier = None if base is None else (base, analyse(base, plan.options.confidence_level))
            typer.echo(beside(run, analysis, keeping.home, earlier))
    except keep.KeepingError as error:
        _fail(_RUN_FAILED, str(error))
    _end(began, code if code == _RUN_FAILED else worse or code)


def _run_and_base(
    plan: Plan, json: Path | None, keeping: Keeping, self_check: bool, profiles: Path | None
) -> tuple[Run, Run | None]:
    """The run, measured or loaded, and what to compare it with, looked up first: a wrong name costs no run.

    Raises:
        RecordError, KeepingError
    """
    from web_terminal_suite.bench import machine
    from web_terminal_suite.cli import keeping as keep

    if self_check:
        return _measured(plan, json, profiles), None
    if keeping.choice.load:
        run = keep.loaded(keeping)
        return run, keep.base_of(keeping, run.machine)
    base = keep.base_of(keeping, machine.record(machine.snapshot()))
    return _measured(plan, json, profiles), base


def _measured(plan: Plan, json: Path | None, profiles: Path | None) -> Run:
    """The run as far as it came; each trial is on disk as soon as it is over, where there is a file for it.

    Raises:
        RecordError: the file cannot be made.
    """
    from contextlib import ExitStack

    import msgspec

    from web_terminal_suite.bench import machine
    from web_terminal_suite.bench.profile import ProfileError
    from web_terminal_suite.bench.progress import shown
    from web_terminal_suite.bench.record import Recorder, RecordError
    from web_terminal_suite.bench.runner import NotProven

    before = machine.snapshot()
    run = _header(plan, machine.record(before))
    trials: list[Trial] = []
    interrupted = False
    with ExitStack() as stack:
        recorder = stack.enter_context(Recorder(_trial_file(json), run)) if json is not None else None

        def keep(trial: Trial) -> None:
            trials.append(trial)
            if recorder is not None:
                recorder.append(trial)

        progress = stack.enter_context(shown(len(plan.slots)))
        try:
            _carry_out(plan, keep, progress, profiles)
        except KeyboardInterrupt:
            interrupted = True
            progress.say("interrupted: what was measured so far is kept, the run is partial")
        except RecordError as error:
            interrupted = True
            progress.say(f"{error}; the run is partial")
        except ProfileError as error:
            _fail(_USAGE, f"--profile: {error}")
        except NotProven as error:
            if json is not None:
                _trial_file(json).unlink(missing_ok=True)
            _fail(_RUN_FAILED, f"the suite itself cannot be trusted on this machine now: {error}")
        facts = machine.record(before, machine.snapshot())
        if recorder is not None and not interrupted:
            try:
                recorder.finish(facts)
            except RecordError as error:
                progress.say(str(error))  # the final file is written from what is in memory
    return msgspec.structs.replace(run, trials=tuple(trials), machine=facts, interrupted=interrupted)


def _carry_out(plan: Plan, keep: Callable[[Trial], None], progress: Progress, profiles: Path | None) -> None:
    """Run the plan.

    Raises:
        KeyboardInterrupt: after everything that was started has ended.
        NotProven, ProfileError
    """
    from web_terminal_suite.bench.analysis.sufficiency import Interim, Sufficiency
    from web_terminal_suite.bench.runner import carry_out
    from web_terminal_suite.cli import running

    options = plan.options
    enough = Sufficiency(options.precision, options.confidence_level) if options.precision else None
    interim = Interim() if options.adaptive and enough is None else None
    running.run(carry_out(plan, keep, progress, enough=enough, profiles=profiles, interim=interim))


def _header(plan: Plan, machine: dict[str, Any]) -> Run:
    from dataclasses import asdict
    from datetime import UTC, datetime

    from web_terminal_suite.bench.samples import SCHEMA, Run

    return Run(
        schema=SCHEMA,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=plan.options.seed,
        options=asdict(plan.options),
        machine=machine,
        terminals=tuple(terminal.facts() for terminal in plan.terminals),
        benchmarks=tuple(benchmark.facts for benchmark in plan.benchmarks),
        trials=(),
        planned=plan.cells,
    )


def _trial_file(json: Path) -> Path:
    """Where trials go while the run proceeds; what a killed run leaves can be read as a record."""
    return json.with_name(json.name + ".trials")


def _replaced(options: Options, given: dict[str, float | int | None]) -> Options:
    from dataclasses import replace

    return replace(options, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # names and types are those of the flags above


def _end(began: float, status: int) -> NoReturn:
    """Say how long it all took, measuring, judging and drawing, and be done."""
    typer.echo(f"took {time.monotonic() - began:.0f} s")
    raise typer.Exit(status)


def _fail(status: int, text: str) -> NoReturn:
    typer.echo(f"web-terminal bench: {text}", err=True)
    raise typer.Exit(status)
