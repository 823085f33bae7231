"""Benchmarks, from options to the record of a run."""

from __future__ import annotations

import secrets
from copy import copy
from dataclasses import asdict, replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from web_terminal_suite.bench import machine
from web_terminal_suite.bench.analysis.sufficiency import Interim, Sufficiency
from web_terminal_suite.bench.browser import calibration as page_calibration
from web_terminal_suite.bench.browser import catalogue as browser_suite
from web_terminal_suite.bench.browser.calibration import PagesNotProven
from web_terminal_suite.bench.browser.chromium import find_chromium, kept
from web_terminal_suite.bench.browser.facts import BrowserFacts
from web_terminal_suite.bench.errors import OptionsError, RunFailed
from web_terminal_suite.bench.extensions import all_benchmarks, load_extensions
from web_terminal_suite.bench.machine.descriptors import raise_descriptors
from web_terminal_suite.bench.network.recovery import NotRecovered
from web_terminal_suite.bench.pipeline.event_loop import run_until_signal
from web_terminal_suite.bench.pipeline.networks import network_of, recover_network, with_network
from web_terminal_suite.bench.pipeline.pages import chosen_terminals
from web_terminal_suite.bench.pipeline.recording import Recording, now
from web_terminal_suite.bench.plan import Plan, make_plan
from web_terminal_suite.bench.profile import ProfileError
from web_terminal_suite.bench.progress import NoProgress
from web_terminal_suite.bench.record import RecordError
from web_terminal_suite.bench.runner import NotProven, carry_out
from web_terminal_suite.bench.samples import SCHEMA, Run
from web_terminal_suite.bench.terminals.peer import RemotePeer
from web_terminal_suite.bench.terminals.processes import LaunchFailed
from web_terminal_suite.bench.terminals.registry import UnknownTerminal
from web_terminal_suite.bench.terminals.remote_page import RemotePage
from web_terminal_suite.bench.terminals.web_terminal import RemoteWebTerminal
from web_terminal_suite.bench.workload.capacity import shortage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from pathlib import Path

    from web_terminal_suite.bench.benchmark import Benchmark
    from web_terminal_suite.bench.calibration import Proof
    from web_terminal_suite.bench.pipeline.options import BenchOptions
    from web_terminal_suite.bench.progress import Progress
    from web_terminal_suite.bench.samples import BenchmarkFacts, Trial
    from web_terminal_suite.bench.terminals.terminal import Terminal

AGAIN = " (again)"
"""Added to the name of a terminal that is measured a second time, next to itself."""


def plan(options: BenchOptions, *, benchmarks: Sequence[Benchmark] = (), terminals: Sequence[Terminal] = ()) -> Plan:
    """What will be measured, in which order.

    Raises this process' limit of open files to the hard limit; servers that a run starts inherit it.

    Args:
        benchmarks: further ones, next to those of the suite; the filters of the options select from both.
        terminals: measured in place of those that the options name.

    Raises:
        OptionsError: nothing matches, this machine can hold none of it, or there is no such terminal or network.
        ExtensionError: a file or package whose declarations cannot be used.
    """
    seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    raise_descriptors()  # before the limits are read
    try:
        extensions = load_extensions(options.extensions)
        chosen = chosen_terminals(options, seed, extensions.terminals)
        if terminals:
            chosen = (*terminals, *(each for each in chosen if each.role != "subject"))
        if options.self_check:
            chosen = doubled(chosen)
        catalogue = all_benchmarks(extensions, benchmarks)
        if browser_suite.is_asked_for(options.filters):
            catalogue = browser_suite.BENCHMARKS
        planned = make_plan(catalogue, chosen, options.filters, options.resolved(seed), _shortage())
        return replace(planned, extensions=extensions.names, network=network_of(options.network, planned.terminals))
    except (UnknownTerminal, ValueError) as error:
        raise OptionsError(str(error)) from error


def run(
    what: BenchOptions | Plan,
    *,
    record: Path | None = None,
    profiles: Path | None = None,
    progress: Progress | None = None,
) -> Run:
    """Measure, and give the record as far as it came: where it was interrupted, ``interrupted`` is set.

    Blocks, on an event loop of its own. SIGINT, SIGTERM and SIGHUP end the run, not the program.

    Args:
        record: where the record will be saved (``save_record``); each trial is on disk there as soon as it is over.
        profiles: record the servers under py-spy and draw flame graphs into this directory.

    Raises:
        OptionsError: as ``plan``; a server that is to run already does not answer; servers cannot be profiled; the
            browser that benchmarks need is missing.
        RecordError: the file for the trials cannot be made.
        RunFailed: the suite's client did not measure what happened on the reference server, or the network does not
            do what was set, so no figure can be believed.
    """
    planned = what if isinstance(what, Plan) else plan(what)
    if browser_suite.is_of(planned):
        find_chromium()
    progress = progress or NoProgress()
    run_until_signal(check_running(planned.terminals))
    if planned.options.shortage:
        progress.say(planned.options.shortage)
    return record_run(
        planned,
        lambda recording: measure(
            planned,
            recording.append,
            profiles=profiles,
            progress=progress,
            calibrated=recording.calibrated,
        ),
        record=record,
        progress=progress,
    )


def record_run(
    plan: Plan,
    carry_out: Callable[[Recording], Coroutine[Any, Any, None]],
    *,
    record: Path | None,
    progress: Progress,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> Run:
    """The record of what ``carry_out`` hands to it, as far as it came; as ``run``.

    Args:
        plan: what the record says was planned.
        options: that the record has besides those of the plan.

    Raises:
        OptionsError, RecordError, RunFailed: as ``run``.
    """
    before = machine.snapshot()
    facts = with_network(machine.record(before), plan.network)

    async def whole(recording: Recording) -> None:
        await recover_network(plan.network, plan.options.seed, recording, progress.say)
        if not browser_suite.is_of(plan):
            await carry_out(recording)
            return
        browser = BrowserFacts()
        recording.in_browser(browser)
        async with kept(browser):
            await carry_out(recording)

    with Recording(_header(plan, facts, options), before, record) as recording:
        try:
            run_until_signal(whole(recording))
        except KeyboardInterrupt:
            recording.interrupt()
            progress.say("interrupted: what was measured so far is kept, the run is partial")
        except RecordError as error:
            recording.interrupt()
            progress.say(f"{error}; the run is partial")
        except ProfileError as error:
            raise OptionsError(f"--profile: {error}") from error
        except (NotProven, PagesNotProven) as error:
            recording.discard()
            raise RunFailed(f"the suite itself cannot be trusted on this machine now: {error}") from error
        except NotRecovered:
            recording.discard()
            raise
        found, problem = recording.finish()
        if problem:
            progress.say(problem)
    return found


async def check_running(terminals: Sequence[Terminal]) -> None:
    """Run a line in a shell of each terminal that is to run already, or load its page, before anything is measured.

    Raises:
        OptionsError: one does not answer, or not in the protocol that it was named with.
    """
    for terminal in terminals:
        if isinstance(terminal, RemoteWebTerminal | RemotePeer | RemotePage):
            try:
                async with terminal.launch():
                    pass
            except LaunchFailed as error:
                raise OptionsError(f"--url: {error}") from error


async def measure(
    plan: Plan,
    keep: Callable[[Trial], None],
    *,
    profiles: Path | None = None,
    progress: Progress | None = None,
    calibrated: Callable[[Proof], None] | None = None,
) -> None:
    """Carry out a plan on the running event loop, and hand each trial to ``keep`` as soon as it is over.

    Cancelling ends every process that was started.

    Raises:
        NotProven, PagesNotProven, ProfileError
    """
    options = plan.options
    if browser_suite.is_of(plan):
        proof = await page_calibration.prove(everything=options.full)
        (progress or NoProgress()).say(proof.summary())
        if calibrated is not None:
            calibrated(proof)
    enough = Sufficiency(options.precision, options.confidence_level) if options.precision else None
    interim = Interim() if options.adaptive and enough is None else None
    await carry_out(
        plan,
        keep,
        progress or NoProgress(),
        enough=enough,
        profiles=profiles,
        interim=interim,
        calibrated=calibrated,
    )


def doubled(terminals: Sequence[Terminal]) -> tuple[Terminal, ...]:
    """The first judged terminal twice and everything that is not judged, for a self-check.

    Raises:
        OptionsError: there is no terminal that is judged.
    """
    first = next((each for each in terminals if each.role == "subject"), None)
    if first is None:
        raise OptionsError("--self-check needs a terminal that is judged; name one with --terminal")
    again = copy(first)
    again.name = first.name + AGAIN
    return (first, again, *(each for each in terminals if each.role != "subject"))


def _header(plan: Plan, machine: dict[str, Any], options: Mapping[str, Any]) -> Run:
    return Run(
        schema=SCHEMA,
        started=now(),
        seed=plan.options.seed,
        options={
            **asdict(plan.options),
            **({"extensions": list(plan.extensions)} if plan.extensions else {}),
            **options,
        },
        machine=machine,
        terminals=tuple(terminal.facts() for terminal in plan.terminals),
        benchmarks=tuple(_facts(benchmark, plan) for benchmark in plan.benchmarks),
        trials=(),
        planned=plan.cells,
    )


def _facts(benchmark: Benchmark, plan: Plan) -> BenchmarkFacts:
    """What the record keeps of a benchmark: targets are for the loopback, so through a network there are none."""
    if plan.network is None:
        return benchmark.facts
    metrics = tuple(msgspec.structs.replace(each, targets={}, floor_targets={}) for each in benchmark.facts.metrics)
    return msgspec.structs.replace(benchmark.facts, metrics=metrics)


def _shortage() -> Callable[[int], str]:
    """Why this machine cannot hold this many sessions at once; its limits are read once, when first asked."""
    limits = cache(machine.read_limits)
    return lambda sessions: shortage(sessions, limits())
