"""A load carried out, from its plan to the record of a run."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import msgspec

from web_terminal_suite.bench import machine
from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.load import coordinator
from web_terminal_suite.bench.load.abort import ThresholdWatch
from web_terminal_suite.bench.load.backends.backend import BackendError
from web_terminal_suite.bench.load.collector import Collector
from web_terminal_suite.bench.load.progress_view import NoProgressView
from web_terminal_suite.bench.load.record import header, trials
from web_terminal_suite.bench.network.recovery import NotRecovered
from web_terminal_suite.bench.network.terminal import Distant
from web_terminal_suite.bench.pipeline.event_loop import run_until_signal
from web_terminal_suite.bench.pipeline.load_plan import LoadTest, plan_load
from web_terminal_suite.bench.pipeline.networks import recover_network, with_network
from web_terminal_suite.bench.pipeline.recording import Recording, now
from web_terminal_suite.bench.record import RecordError
from web_terminal_suite.bench.samples import ABORTED
from web_terminal_suite.bench.terminals.processes import LaunchFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from web_terminal_suite.bench.load.progress_view import ProgressView
    from web_terminal_suite.bench.load.scenario import LoadStage
    from web_terminal_suite.bench.pipeline.options import LoadOptions
    from web_terminal_suite.bench.samples import Run


def run_load(what: LoadOptions | LoadTest, *, record: Path | None = None, progress: ProgressView | None = None) -> Run:
    """Load a terminal, and give the record as far as it came: where it was interrupted, ``interrupted`` is set.

    Blocks, on an event loop of its own. SIGINT, SIGTERM and SIGHUP end the load, not the program.

    Args:
        record: where the record will be saved (``save_record``); each stage is on disk there as soon as it is over.

    Raises:
        OptionsError: as ``plan_load``; or the server or the clients could not be started.
        RecordError: the file for the trials cannot be made.
        RunFailed: the network does not do what was set.
    """
    test = what if isinstance(what, LoadTest) else plan_load(what)
    view = progress or NoProgressView()
    before = machine.snapshot()
    collector = _new_collector(test)
    with ExitStack() as stack:
        facts = with_network(machine.record(before), test.network)
        recording = stack.enter_context(Recording(_header(test, facts), before, record))
        stages = _Stages(test, collector, recording)

        async def whole() -> None:
            await recover_network(test.network, test.plan.config.seed, recording, view.say)
            await measure_load(test, collector, stages.keep, progress=view)

        try:
            run_until_signal(whole())
        except KeyboardInterrupt:
            recording.interrupt()
            view.say("interrupted: what was measured so far is kept, the run is partial")
        except RecordError as error:
            recording.interrupt()
            view.say(f"{error}; the run is partial")
        except (BackendError, LaunchFailed) as error:
            recording.discard()
            raise OptionsError(str(error)) from error
        except NotRecovered:
            recording.discard()
            raise
        stages.keep_rest()
        found, problem = recording.finish()
        found = _as_aborted(found, test, collector)
        if problem:
            view.say(problem)
    return found


async def measure_load(
    test: LoadTest, collector: Collector, stage_done: Callable[[int], None], *, progress: ProgressView | None = None
) -> None:
    """Play every stage on the running event loop; what is measured is in ``collector``.

    Cancelling ends every process that was started.

    Raises:
        LaunchFailed, BackendError
    """
    terminal = test.terminal
    if test.network is not None:
        terminal = Distant(terminal, test.network.conditions, test.plan.config.seed)
    await coordinator.run_load(
        test.plan.config,
        terminal,
        test.backend,
        collector,
        progress or NoProgressView(),
        stage_done,
        watch=ThresholdWatch(test.plan) if test.abort_on_fail else None,
    )


def _as_aborted(run: Run, test: LoadTest, collector: Collector) -> Run:
    """The run, which says so where a threshold ended it; stages that it ended before they began are not planned."""
    if not collector.aborted:
        return run
    begun = [number for number, stage in enumerate(collector.stages) if stage.ramp_start_ns is not None]
    planned = tuple(cell for number in begun for cell in test.plan.cells(number))
    measured = {trial.cell for trial in run.trials if trial.samples or trial.points}
    return msgspec.structs.replace(
        run,
        options={**run.options, ABORTED: collector.aborted},
        planned=tuple(cell for cell in planned if cell in measured),
    )


class _Stages:
    """Makes trials of each stage once, when it is over or when the load is."""

    def __init__(self, test: LoadTest, collector: Collector, recording: Recording) -> None:
        self._test = test
        self._collector = collector
        self._recording = recording
        self._kept: set[int] = set()

    def keep(self, stage: int) -> None:
        self._kept.add(stage)
        self._recording.append(*trials(self._test.plan, self._collector, stage))

    def keep_rest(self) -> None:
        for stage in range(len(self._test.plan.config.scenario.stage)):
            if stage not in self._kept:
                self.keep(stage)


def _new_collector(test: LoadTest) -> Collector:
    return Collector(test.plan.config.generators, len(test.plan.config.scenario.stage))


def _header(test: LoadTest, machine: dict[str, Any]) -> Run:
    load = test.plan.config
    expected = [each.text if where == "*" else f"{where}: {each.text}" for where, each in test.plan.thresholds]
    options: dict[str, Any] = {
        "stages": [_stage_text(each) for each in load.scenario.stage],
        "expected": expected,
        "clients": load.generators,
        "addresses": max(1, len(load.sources)),
        "seed": load.seed,
        "confidence_level": test.confidence_level,
    }
    if test.extensions:
        options["extensions"] = list(test.extensions)
    return header(test.plan, now(), options, machine)


def _stage_text(stage: LoadStage) -> str:
    """Every field of a stage that has a value."""
    values = msgspec.structs.asdict(stage)
    values["mix"] = " ".join(f"{role}={share}".replace(" ", "") for role, share in stage.mix.items())
    return " ".join(f"{name}={value}" for name, value in values.items() if value not in ("", ()))
