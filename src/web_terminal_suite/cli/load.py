"""``web-terminal load``: flags and a scenario to a load that this machine has room for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from web_terminal_suite.bench.load.plan import LoadConfig
    from web_terminal_suite.bench.load.scenario import Role, RoleShare, Scenario
    from web_terminal_suite.bench.load.thresholds import Threshold
    from web_terminal_suite.bench.samples import TerminalFacts
    from web_terminal_suite.bench.terminals.terminal import Terminal

_USAGE = 2
LAST = "load"
"""What a load is saved as, so that ``web-terminal report load`` shows the last one."""


class OutputProfile(StrEnum):
    NONE = "none"
    STEADY = "steady"
    BURSTS = "bursts"
    FLOOD = "flood"


_EMITTING = {OutputProfile.STEADY: "10%", OutputProfile.BURSTS: "10%", OutputProfile.FLOOD: "1"}
"""How many print where nobody says. A flood takes all there is, so one of them is a lot."""

_DEFAULTS: dict[str, Any] = {"sessions": 100, "ramp": 100.0, "duration": 30.0, "typing": 100.0}
_ACTIVE = "50%"
_MOST_DESCRIPTORS = 1_048_576
"""The kernel's own default for the most there can be (``fs.nr_open``)."""


def load(
    sessions: Annotated[int | None, typer.Option(min=1, help="How many there shall be. (default: 100)")] = None,
    ramp: Annotated[
        float | None, typer.Option(min=1e-3, metavar="R", help="Sessions that arrive in a second. (default: 100)")
    ] = None,
    duration: Annotated[
        float | None, typer.Option(min=1e-3, metavar="S", help="Seconds, once all have arrived. (default: 30)")
    ] = None,
    typing: Annotated[
        float | None, typer.Option(min=0, metavar="KEYS/S", help="Of all who type, together. (default: 100)")
    ] = None,
    active: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Who types: 50%, 0.5, or 3 sessions. (default: 50%)")
    ] = None,
    output: Annotated[
        OutputProfile | None, typer.Option(metavar="PROFILE", help="none, steady, bursts or flood. (default: none)")
    ] = None,
    emitting: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Whose session prints. (default: 10%; of floods 1)"),
    ] = None,
    lines: Annotated[
        float | None, typer.Option(min=1e-3, help="Lines a second of a steady session. (default: 1)")
    ] = None,
    reconnecting: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Whose network is lost every 10 seconds. (default: nobody's)")
    ] = None,
    resizing: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Who changes the size every 5 seconds. (default: nobody)")
    ] = None,
    scenario: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Stages and mixes, as TOML; flags above replace what it says.")
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="THRESHOLD", help="Such as 'keystroke.p95<2ms'; may be given several times."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Who does what when follows from it. (default: random)")] = None,
    terminal: Annotated[
        str, typer.Option(metavar="NAME", help="What to load; null-server is the clients alone. (default: ours)")
    ] = "",
    url: Annotated[
        str, typer.Option(metavar="[NAME=]URL", help="Load a server that runs already: ours, or ttyd=http://...")
    ] = "",
    token: Annotated[str, typer.Option(envvar="WEB_TERMINAL_TOKEN", help="For --url, where the URL has none.")] = "",
    clients: Annotated[
        int | None, typer.Option(min=1, help="Client processes. (default: from sessions, keys and processors)")
    ] = None,
    addresses: Annotated[
        int | None, typer.Option(min=1, help="Loopback addresses to dial from. (default: as many as needed)")
    ] = None,
    scheduler: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Clients on the workers of a Dask cluster: tcp://host:8786")
    ] = "",
    confidence_level: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Of every interval.")] = 0.95,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write record and results there.")] = None,
    save_baseline: Annotated[str, typer.Option(metavar="NAME", help="Save the load as NAME.")] = LAST,
    baseline: Annotated[str, typer.Option(metavar="NAME", help="Compare with NAME.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Compare with a baseline of another machine.")] = False,
    noplot: Annotated[bool, typer.Option("--noplot", help="Write no HTML report.")] = False,
    no_history: Annotated[bool, typer.Option("--no-history", help="Add nothing to the history.")] = False,
    home: Annotated[
        Path | None, typer.Option(help="Where baselines and history are. (default: ./.web-terminal-bench)")
    ] = None,
) -> None:
    """Load a web terminal: sessions arrive at a rate, people type and programs print, and everything is counted.

    Exit status: 0 every expectation holds, 1 one is missed (or something is slower than --baseline), 2 wrong usage,
    3 undecided, 4 the load itself failed.
    """
    try:
        from web_terminal_suite.bench.load.scenario import ScenarioError
        from web_terminal_suite.bench.load.thresholds import ThresholdError
        from web_terminal_suite.bench.machine.descriptors import raise_descriptors
        from web_terminal_suite.cli import loading
    except ModuleNotFoundError as error:
        if error.name not in ("numpy", "scipy", "psutil"):
            raise
        _fail(f"{error.name} is missing: install it with: pip install 'web-terminal-suite[bench]'")

    fields = {"sessions": sessions, "ramp": ramp, "duration": duration, "typing": typing, "lines": lines}
    wishes = loading.Wishes(
        json=json,
        save=save_baseline,
        baseline=baseline,
        level=confidence_level,
        home=home,
        force=force,
        history=not no_history,
        plot=not noplot,
    )
    try:
        mix = _mix(active, output, emitting, reconnecting, resizing)
        wanted = _scenario(scenario, {name: each for name, each in fields.items() if each is not None}, mix)
        expectations = _expectations(wanted, expect or ())
        chosen, facts = _terminal(terminal, url, token, wanted)
        # The server inherits it.
        raise_descriptors(_MOST_DESCRIPTORS)
        carrier, workers = loading.carrier(scheduler)
        placement = _spread(
            wanted, _seed(seed, wanted), clients or workers, addresses, chosen, url, away=bool(scheduler)
        )
        loading.load(placement, expectations, chosen, facts, carrier, wishes)
    except (ScenarioError, ThresholdError, loading.Refused, _Refused) as error:
        _fail(str(error))


class _Refused(Exception):
    """Usage that cannot be; the text says why and what would do."""


def _mix(
    active: str | None,
    output: OutputProfile | None,
    emitting: str | None,
    reconnecting: str | None,
    resizing: str | None,
) -> dict[Role, RoleShare]:
    """Roles as the flags give them out, those that no flag speaks of left out.

    Raises:
        ScenarioError
    """
    from web_terminal_suite.bench.load.scenario import NO_SESSIONS, OUTPUT_ROLES, Role, parse_share

    found = {
        role: parse_share(text)
        for role, text in ((Role.TYPE, active), (Role.RECONNECT, reconnecting), (Role.RESIZE, resizing))
        if text is not None
    }
    if output is None:
        if emitting is not None:
            raise _Refused("--emitting says how many print, and nothing what: add --output steady, bursts or flood")
        return found
    found |= dict.fromkeys(OUTPUT_ROLES, NO_SESSIONS)
    if output is not OutputProfile.NONE:
        found[Role(output.value)] = parse_share(emitting or _EMITTING[output])
    return found


def _scenario(path: Path | None, fields: dict[str, Any], mix: dict[Role, RoleShare]) -> Scenario:
    """The scenario of the file with the flags in place of what it says; without a file one stage of flags.

    Raises:
        ScenarioError, _Refused
    """
    from web_terminal_suite.bench.load.scenario import LoadStage, Role, Scenario, override, parse, parse_share

    if path is None:
        fields = _DEFAULTS | fields
        if fields["typing"]:
            mix = {Role.TYPE: parse_share(_ACTIVE)} | mix
        return Scenario(stage=(LoadStage(**fields, mix=mix),))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _Refused(f"cannot read the scenario {path}: {error}") from error
    return override(parse(text, str(path)), fields, mix)


def _expectations(scenario: Scenario, flags: list[str] | tuple[()]) -> tuple[tuple[str, Threshold], ...]:
    """What is expected of which stage: of flags and file of every one, of a stage of that one.

    Raises:
        ExpectError
    """
    from web_terminal_suite.bench.load.thresholds import parse

    found = [("*", parse(text)) for text in (*scenario.expect, *flags)]
    for stage, parameter in zip(scenario.stage, scenario.parameters, strict=True):
        found += [(parameter, parse(text)) for text in stage.expect]
    return tuple(found)


def _terminal(name: str, url: str, token: str, scenario: Scenario) -> tuple[Terminal, TerminalFacts]:
    """What is loaded, and what a report says of it.

    Raises:
        _Refused
    """
    import msgspec

    from web_terminal_suite.bench.load.scenario import Role
    from web_terminal_suite.bench.terminals.null import NullServer
    from web_terminal_suite.bench.terminals.registry import UnknownTerminal, choose
    from web_terminal_suite.bench.terminals.terminal import Capability

    if url and name:
        raise _Refused("--terminal starts a server and --url names one that runs; give one of them")
    try:
        if name == NullServer.name:
            found: Terminal = NullServer()
        else:
            found = choose([name] if name else [], [url] if url else [], token, seed=0)[0]
    except (UnknownTerminal, ValueError) as error:
        raise _Refused(str(error)) from error
    why = found.missing()
    if why:
        raise _Refused(why)
    needs = {Role.RECONNECT: Capability.REATTACH, Role.RESIZE: Capability.PING}
    needs |= dict.fromkeys((Role.STEADY, Role.BURSTS, Role.FLOOD), Capability.SHELL)
    for role in sorted(scenario.roles):
        if role in needs and not found.can(frozenset({needs[role]})):
            raise _Refused(f"{found.name} has no {needs[role]}, which the role {str(role)!r} needs; leave that out")
    # In a load even a floor is what is measured.
    return found, msgspec.structs.replace(found.facts(), role="subject")


def _seed(given: int | None, scenario: Scenario) -> int:
    """The flag's, else the file's, else any."""
    import secrets

    if given is not None:
        return given
    return secrets.randbelow(1 << 32) if scenario.seed is None else scenario.seed


def _spread(
    scenario: Scenario,
    seed: int,
    clients: int | None,
    addresses: int | None,
    terminal: Terminal,
    url: str,
    *,
    away: bool,
) -> LoadConfig:
    """The load with its processes and addresses, once this machine is known to have room for it.

    Args:
        away: the clients are on machines of their own, and so are their limits.

    Raises:
        _Refused: a limit that is too low, and the command that raises it.
    """
    import os

    from web_terminal_suite.bench import machine
    from web_terminal_suite.bench.load import placement
    from web_terminal_suite.bench.load.plan import LoadConfig
    from web_terminal_suite.bench.terminals.terminal import Capability
    from web_terminal_suite.bench.terminals.web_terminal import SESSIONS_PER_WORKER, WebTerminal

    limits = machine.read_limits()
    wanted = scenario.sessions
    generators = clients or placement.generators_needed(scenario, len(os.sched_getaffinity(0)), limits)
    sources = placement.loopback_addresses(
        addresses or (1 if away or url else placement.addresses_needed(wanted, limits))
    )
    if not away:
        # Our server is started with as many workers as it takes.
        workers = -(-wanted // SESSIONS_PER_WORKER) if terminal.name == WebTerminal.name else 1
        over = machine.ProcessSpread(workers=workers, clients=generators, addresses=max(1, len(sources)))
        shells = not url and not terminal.can(frozenset({Capability.NO_SHELL}))
        short = placement.shortages(limits, over, wanted, with_shells=shells)
        if short:
            raise _Refused(placement.describe(wanted, short))
        room = (limits.nofile_soft or wanted) - machine.DESCRIPTORS_KEPT
        if not url and not shells and wanted > room:
            raise _Refused(f"{terminal.name} is one process and holds {room:,} sessions; ask for no more than that")
    return LoadConfig(scenario=scenario, seed=seed, generators=generators, sources=sources)


def _fail(text: str) -> NoReturn:
    typer.echo(f"web-terminal load: {text}", err=True)
    raise typer.Exit(_USAGE)
