"""A load from its first word to its exit status: conducted, kept as it proceeds, judged, compared, shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.load.backends.backend import Backend
    from web_terminal_suite.bench.load.plan import LoadConfig, LoadPlan
    from web_terminal_suite.bench.load.thresholds import Threshold
    from web_terminal_suite.bench.samples import Run, TerminalFacts, Trial
    from web_terminal_suite.bench.terminals.terminal import Terminal
    from web_terminal_suite.cli.keeping import Keeping

_RUN_FAILED = 4
REPORT = "load.html"
_NOISE = 0.05
_RESAMPLES = 1_000


class Refused(Exception):
    """Nothing was measured, for a reason that whoever asked can do something about."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is to become of the run."""

    json: Path | None
    save: str
    baseline: str
    level: float
    home: Path | None
    force: bool
    history: bool
    plot: bool

    def keeping(self) -> Keeping:
        """The same as ``bench`` has it.

        Raises:
            Refused: no name for a baseline, or no directory for the file.
        """
        import os

        from web_terminal_suite.bench.analysis.comparison.results import Terms
        from web_terminal_suite.bench.baselines import BaselineError, Choice, check_name, home
        from web_terminal_suite.cli.keeping import Keeping

        if self.json is not None and not self.json.parent.is_dir():
            raise Refused(f"--json {self.json}: there is no directory {self.json.parent}")
        try:
            for name in (self.save, self.baseline):
                if name:
                    check_name(name)
        except BaselineError as error:
            raise Refused(str(error)) from error
        return Keeping(
            home=home(self.home, os.environ),
            choice=Choice(self.baseline, must_exist=bool(self.baseline), save_as=self.save),
            terms=Terms(level=self.level, significance=1 - self.level, noise=_NOISE, resamples=_RESAMPLES),
            force=self.force,
            history=self.history,
            whole=False,
        )


def carrier(scheduler: str) -> tuple[Backend, int | None]:
    """Where client processes run, and how many that makes, where it is not a matter of choice.

    Raises:
        Refused: there is no such cluster.
    """
    if not scheduler:
        from web_terminal_suite.bench.load.backends.local import LocalBackend

        return LocalBackend(), None
    from web_terminal_suite.bench.load.backends.backend import BackendError

    try:
        from web_terminal_suite.bench.load.backends.dask import DaskBackend
    except ModuleNotFoundError as error:
        raise Refused(
            f"--scheduler needs {error.name}: install it with: pip install 'web-terminal-suite[bench,cluster]'"
        ) from error
    from web_terminal_suite.cli import running

    found = DaskBackend(scheduler)
    counts: list[int] = []

    async def count() -> None:
        counts.append(await found.count())

    try:
        running.run(count())
    except BackendError as error:
        raise Refused(str(error)) from error
    if not counts[0]:
        raise Refused(f"the Dask cluster at {scheduler} has no worker; start some with dask worker {scheduler}")
    return found, counts[0]


def load(
    what: LoadConfig,
    expectations: tuple[tuple[str, Threshold], ...],
    terminal: Terminal,
    facts: TerminalFacts,
    carrier: Backend,
    wishes: Wishes,
) -> None:
    """Conduct it and end with its exit status.

    Raises:
        Refused
    """
    from web_terminal_suite.bench import machine
    from web_terminal_suite.bench.load.plan import LoadPlan
    from web_terminal_suite.cli import keeping as keep

    keeping = wishes.keeping()
    plan = LoadPlan(what, facts, expectations)
    try:
        base = keep.base_of(keeping, machine.record(machine.snapshot())) if wishes.baseline else None
    except keep.KeepingError as error:
        raise Refused(str(error)) from error
    run = _conducted(plan, terminal, carrier, wishes)
    _judge(run, base, keeping, wishes)


def _conducted(plan: LoadPlan, terminal: Terminal, carrier: Backend, wishes: Wishes) -> Run:
    """The run as far as it came; each stage is on disk as soon as it is over, where there is a file for it.

    Raises:
        Refused: nothing could be started, or the file cannot be made.
    """
    from contextlib import ExitStack

    import msgspec

    from web_terminal_suite.bench import machine
    from web_terminal_suite.bench.load.backends.backend import BackendError
    from web_terminal_suite.bench.load.collector import Collector
    from web_terminal_suite.bench.load.coordinator import run_load
    from web_terminal_suite.bench.load.progress_view import open_view
    from web_terminal_suite.bench.load.record import trials
    from web_terminal_suite.bench.record import Recorder, RecordError
    from web_terminal_suite.bench.terminals.processes import LaunchFailed
    from web_terminal_suite.cli import running

    before = machine.snapshot()
    run = _header(plan, wishes.level, machine.record(before))
    stages = len(plan.config.scenario.stage)
    ledger = Collector(plan.config.generators, stages)
    kept: list[Trial] = []
    told: set[int] = set()
    interrupted = False
    with ExitStack() as stack:
        try:
            recorder = stack.enter_context(Recorder(_trial_file(wishes.json), run)) if wishes.json is not None else None
        except RecordError as error:
            raise Refused(str(error)) from error

        def keep(stage: int) -> None:
            told.add(stage)
            for trial in trials(plan, ledger, stage):
                kept.append(trial)
                if recorder is not None:
                    recorder.append(trial)

        view = stack.enter_context(open_view())
        try:
            running.run(run_load(plan.config, terminal, carrier, ledger, view, keep))
        except KeyboardInterrupt:
            interrupted = True
            view.say("interrupted: what was measured so far is kept, the run is partial")
        except RecordError as error:
            interrupted = True
            view.say(f"{error}; the run is partial")
        except (BackendError, LaunchFailed) as error:
            if wishes.json is not None:
                _trial_file(wishes.json).unlink(missing_ok=True)
            raise Refused(str(error)) from error
        if interrupted:
            # Whatever the file holds or lacks, what is in memory is whole.
            recorder = None
        for stage in range(stages):
            if stage not in told:
                keep(stage)
        facts = machine.record(before, machine.snapshot())
        if recorder is not None:
            try:
                recorder.finish(facts)
            except RecordError as error:
                view.say(str(error))  # the final file is written from what is in memory
    return msgspec.structs.replace(run, trials=tuple(kept), machine=facts, interrupted=interrupted)


def _header(plan: LoadPlan, level: float, machine: dict[str, Any]) -> Run:
    from datetime import UTC, datetime

    from web_terminal_suite.bench.load.record import header

    load = plan.config
    options: dict[str, Any] = {
        "stages": [_in_words(each) for each in load.scenario.stage],
        "expected": [each.text if where == "*" else f"{where}: {each.text}" for where, each in plan.thresholds],
        "clients": load.generators,
        "addresses": max(1, len(load.sources)),
        "seed": load.seed,
        "confidence_level": level,
    }
    return header(plan, datetime.now(UTC).isoformat(timespec="seconds"), options, machine)


def _in_words(stage: Any) -> str:
    """Every field of a stage that has a say."""
    import msgspec

    values = msgspec.structs.asdict(stage)
    values["mix"] = " ".join(f"{role}={share}".replace(" ", "") for role, share in stage.mix.items())
    return " ".join(f"{name}={value}" for name, value in values.items() if value not in ("", ()))


def _judge(run: Run, base: Run | None, keeping: Keeping, wishes: Wishes) -> None:
    """Print, keep and compare; ends with the exit status."""
    from web_terminal_suite.bench.analysis import analyse, exit_code
    from web_terminal_suite.bench.record import RecordError
    from web_terminal_suite.bench.report import json as json_report
    from web_terminal_suite.bench.report import paper, text
    from web_terminal_suite.cli import keeping as keep

    analysis = analyse(run, wishes.level)
    console = paper.console()
    text.print_report(console, analysis, run.machine)
    code = int(exit_code(analysis))
    if wishes.json is not None:
        try:
            json_report.write(wishes.json, run, analysis)
        except RecordError as error:
            _fail(str(error))
        _trial_file(wishes.json).unlink(missing_ok=True)
    try:
        worse = 0 if base is None else keep.compared(console, keeping, base, run)
        keep.kept(keeping, run, analysis)
        if wishes.plot:
            _draw(run, analysis, base, keeping, wishes, console)
    except keep.KeepingError as error:
        _fail(str(error))
    raise typer.Exit(code if code == _RUN_FAILED else worse or code)


def _draw(run: Run, analysis: Analysis, base: Run | None, keeping: Keeping, wishes: Wishes, console: Console) -> None:
    from web_terminal_suite.bench.analysis import analyse
    from web_terminal_suite.cli.report import beside

    earlier = None if base is None else (base, analyse(base, wishes.level))
    console.print(beside(run, analysis, keeping.home, earlier, REPORT), soft_wrap=True, markup=False)


def _trial_file(json: Path) -> Path:
    """Where stages go while the load proceeds; what a killed load leaves can be read as a record."""
    return json.with_name(json.name + ".trials")


def _fail(text: str) -> None:
    typer.echo(f"web-terminal load: {text}", err=True)
    raise typer.Exit(_RUN_FAILED)
