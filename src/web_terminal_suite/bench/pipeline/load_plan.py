"""A load, from options to a test that this machine has room for."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from web_terminal_suite.bench import machine
from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.extensions import load_extensions
from web_terminal_suite.bench.load import placement, thresholds
from web_terminal_suite.bench.load.backends.backend import BackendError
from web_terminal_suite.bench.load.backends.local import LocalBackend
from web_terminal_suite.bench.load.metrics import metrics_of
from web_terminal_suite.bench.load.plan import LoadConfig, LoadPlan
from web_terminal_suite.bench.load.scenario import (
    NO_SESSIONS,
    OUTPUT_ROLES,
    LoadStage,
    Role,
    Scenario,
    ScenarioError,
    check_roles,
    override,
    parse,
    parse_share,
)
from web_terminal_suite.bench.machine.descriptors import raise_descriptors
from web_terminal_suite.bench.pipeline.event_loop import run_until_signal
from web_terminal_suite.bench.pipeline.networks import network_of
from web_terminal_suite.bench.pipeline.options import OutputProfile
from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.registry import UnknownTerminal, choose
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.bench.terminals.web_terminal import SESSIONS_PER_WORKER, WebTerminal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from web_terminal_suite.bench.extensions import Extensions
    from web_terminal_suite.bench.load.backends.backend import Backend
    from web_terminal_suite.bench.load.metrics import LoadMetric
    from web_terminal_suite.bench.load.scenario import RoleShare
    from web_terminal_suite.bench.load.thresholds import Threshold
    from web_terminal_suite.bench.network.conditions import Network
    from web_terminal_suite.bench.pipeline.options import LoadOptions
    from web_terminal_suite.bench.terminals.terminal import Terminal

_DEFAULTS: Final[dict[str, Any]] = {"sessions": 100, "ramp": 100.0, "duration": 30.0, "typing": 100.0}
_ACTIVE: Final = "50%"

_EMITTING: Final = {OutputProfile.STEADY: "10%", OutputProfile.BURSTS: "10%", OutputProfile.FLOOD: "1"}
"""How many print where nothing is said. One flood takes all there is."""

_MOST_DESCRIPTORS: Final = 1_048_576
"""The kernel's own default for the most there can be (``fs.nr_open``)."""

_NEEDS: Final[dict[str, Capability]] = {
    Role.RECONNECT: Capability.REATTACH,
    Role.RESIZE: Capability.PING,
    **dict.fromkeys((Role.STEADY, Role.BURSTS, Role.FLOOD), Capability.SHELL),
}


@dataclass(frozen=True, kw_only=True)
class LoadTest:
    """A load with what it falls on and what its clients run on."""

    plan: LoadPlan
    terminal: Terminal
    backend: Backend
    confidence_level: float
    abort_on_fail: bool = False
    extensions: tuple[str, ...] = ()
    """Files and packages that behaviours or the terminal may come from."""
    network: Network | None = None
    """What clients reach the terminal through."""


def plan_load(options: LoadOptions) -> LoadTest:
    """What will be done, with as many client processes and addresses as it takes.

    Raises this process' limit of open files; a server that is started inherits it.

    Raises:
        OptionsError: a scenario, threshold or terminal that cannot be, or a limit of this machine that is too low,
            with the command that raises it.
    """
    if options.network and options.scheduler:
        raise OptionsError("--network is made on this machine's loopback, which clients of --scheduler do not reach")
    try:
        extensions = load_extensions(options.extensions)
        scenario = _scenario(options, extensions)
        expected = _thresholds(scenario, options.thresholds, metrics_of(extensions.behaviours))
        terminal = _terminal(options, scenario, extensions)
        raise_descriptors(_MOST_DESCRIPTORS)
        backend, workers = _backend(options.scheduler)
        load = replace(
            _placed(options, scenario, terminal, options.clients or workers), behaviours=extensions.behaviours
        )
    except (ValueError, UnknownTerminal, BackendError) as error:
        raise OptionsError(str(error)) from error
    # In a load even a floor is what is measured.
    facts = msgspec.structs.replace(terminal.facts(), role="subject")
    return LoadTest(
        plan=LoadPlan(load, facts, expected),
        terminal=terminal,
        backend=backend,
        confidence_level=options.confidence_level,
        abort_on_fail=options.abort_on_fail,
        extensions=extensions.names,
        network=network_of(options.network, (terminal,)),
    )


def _scenario(options: LoadOptions, extensions: Extensions) -> Scenario:
    """The scenario with the options in place of what it says; without one a single stage of the options.

    Raises:
        ScenarioError, OptionsError
    """
    names = ("sessions", "ramp", "duration", "typing", "lines")
    fields = {name: value for name in names if (value := getattr(options, name)) is not None}
    mix = _mix(options)
    if options.scenario is None:
        fields = _DEFAULTS | fields
        if fields["typing"]:
            mix = {Role.TYPE: parse_share(_ACTIVE)} | mix
        return _checked(Scenario(stage=(LoadStage(**fields, mix=mix),)), extensions)
    if isinstance(options.scenario, Scenario):
        return _checked(override(options.scenario, fields, mix), extensions)
    path = Path(options.scenario)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"cannot read the scenario {path}: {error}") from error
    behaviours = [each.name for each in extensions.behaviours]
    return _checked(override(parse(text, str(path), behaviours), fields, mix), extensions)


def _checked(scenario: Scenario, extensions: Extensions) -> Scenario:
    """The scenario, whose roles there are.

    Raises:
        ScenarioError
    """
    check_roles(scenario, [each.name for each in extensions.behaviours])
    return scenario


def _mix(options: LoadOptions) -> dict[str, RoleShare]:
    """Roles with the shares that the options give them; the others are left out.

    Raises:
        ScenarioError, OptionsError
    """
    given = ((Role.TYPE, options.active), (Role.RECONNECT, options.reconnecting), (Role.RESIZE, options.resizing))
    found: dict[str, RoleShare] = {role: parse_share(text) for role, text in given if text is not None}
    for text in options.mix:
        name, equals, share = text.partition("=")
        if not equals:
            raise OptionsError(f"--mix {text}: write ROLE=SHARE, such as resize=5%")
        found[name.strip()] = parse_share(share)
    if options.output is None:
        if options.emitting is not None:
            raise OptionsError("--emitting says how many print, and nothing what: add --output steady, bursts or flood")
        return found
    output = OutputProfile(options.output)
    found |= dict.fromkeys(OUTPUT_ROLES, NO_SESSIONS)
    if output is not OutputProfile.NONE:
        found[Role(output.value)] = parse_share(options.emitting or _EMITTING[output])
    return found


def _thresholds(
    scenario: Scenario, given: tuple[str, ...], known: Mapping[str, LoadMetric]
) -> tuple[tuple[str, Threshold], ...]:
    """Thresholds with the stage they are for; those of the options and of the whole scenario are for every stage.

    Raises:
        ThresholdError
    """
    found = [("*", thresholds.parse(text, known)) for text in (*scenario.expect, *given)]
    for stage, parameter in zip(scenario.stage, scenario.parameters, strict=True):
        found += [(parameter, thresholds.parse(text, known)) for text in stage.expect]
    return tuple(found)


def _terminal(options: LoadOptions, scenario: Scenario, extensions: Extensions) -> Terminal:
    """What is loaded.

    Raises:
        OptionsError, UnknownTerminal, ValueError
    """
    name, url = options.terminal, options.url
    if url and name:
        raise OptionsError("--terminal starts a server and --url names one that runs; give one of them")
    found: Terminal
    if name == NullServer.name:
        found = NullServer()
    else:
        found = choose([name] if name else [], [url] if url else [], options.token, seed=0, own=extensions.terminals)[0]
    if missing := found.missing():
        raise OptionsError(missing)
    for role in sorted(scenario.roles):
        if role in _NEEDS and not found.can(frozenset({_NEEDS[role]})):
            raise OptionsError(
                f"{found.name} has no {_NEEDS[role]}, which the role {str(role)!r} needs; leave that out"
            )
    for behaviour in extensions.behaviours:
        lacking = behaviour.needs - found.capabilities if behaviour.name in scenario.roles else ()
        if lacking:
            raise OptionsError(
                f"{found.name} has no {min(lacking)}, which the behaviour {behaviour.name!r} needs; leave that out"
            )
    return found


def _backend(scheduler: str) -> tuple[Backend, int | None]:
    """Where client processes run, and how many there are where that is not a choice.

    Raises:
        OptionsError, BackendError: there is no such cluster.
    """
    if not scheduler:
        return LocalBackend(), None
    try:
        from web_terminal_suite.bench.load.backends.dask import DaskBackend
    except ModuleNotFoundError as error:
        raise OptionsError(
            f"--scheduler needs {error.name}: install it with: pip install 'web-terminal-suite[bench,cluster]'"
        ) from error
    backend = DaskBackend(scheduler)
    workers = 0

    async def count() -> None:
        nonlocal workers
        workers = await backend.count()

    run_until_signal(count())
    if not workers:
        raise OptionsError(f"the Dask cluster at {scheduler} has no worker; start some with dask worker {scheduler}")
    return backend, workers


def _placed(options: LoadOptions, scenario: Scenario, terminal: Terminal, clients: int | None) -> LoadConfig:
    """The load with its processes and addresses, once this machine is known to have room for it.

    Raises:
        OptionsError: a limit that is too low, and the command that raises it.
    """
    limits = machine.read_limits()
    sessions = scenario.sessions
    is_remote = bool(options.scheduler)  # clients on other machines have limits of their own
    processes = clients or placement.generators_needed(scenario, len(os.sched_getaffinity(0)), limits)
    needed = 1 if is_remote or options.url else placement.addresses_needed(sessions, limits)
    sources = placement.loopback_addresses(options.addresses or needed)
    if not is_remote:
        # Our server is started with as many workers as it takes.
        workers = -(-sessions // SESSIONS_PER_WORKER) if terminal.name == WebTerminal.name else 1
        spread = machine.ProcessSpread(workers=workers, clients=processes, addresses=max(1, len(sources)))
        shells = not options.url and not terminal.can(frozenset({Capability.NO_SHELL}))
        short = placement.shortages(limits, spread, sessions, with_shells=shells)
        if short:
            raise OptionsError(placement.describe(sessions, short))
        room = (limits.nofile_soft or sessions) - machine.DESCRIPTORS_KEPT
        if not options.url and not shells and sessions > room:
            raise OptionsError(f"{terminal.name} is one process and holds {room:,} sessions; ask for no more than that")
    seed = options.seed if options.seed is not None else scenario.seed
    return LoadConfig(
        scenario=scenario,
        seed=secrets.randbelow(1 << 32) if seed is None else seed,
        generators=processes,
        sources=sources,
    )
