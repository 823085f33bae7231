"""What ``load`` does to a terminal, from where, and what is expected of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from web_terminal_suite.cli import completion, parameters

if TYPE_CHECKING:
    from web_terminal_suite.bench.pipeline import LoadOptions, StorageOptions

_LAST = "load"
"""What a load is saved as, so that ``web-terminal report load`` shows the last one."""

_ABOVE_ZERO = click.FloatRange(min=1e-3)
_AT_LEAST_ONE = click.IntRange(min=1)

scenario = parameters.group(
    click.option("--sessions", type=_AT_LEAST_ONE, help="How many there shall be. (default: 100)"),
    click.option("--ramp", type=_ABOVE_ZERO, metavar="R", help="Sessions that arrive in a second. (default: 100)"),
    click.option("--duration", type=_ABOVE_ZERO, metavar="S", help="Seconds, once all have arrived. (default: 30)"),
    click.option(
        "--typing",
        type=click.FloatRange(min=0),
        metavar="KEYS/S",
        help="Of all who type, together. (default: 100)",
    ),
    click.option("--active", metavar="SHARE", help="Who types: 50%, 0.5, or 3 sessions. (default: 50%)"),
    click.option(
        "--output",
        type=click.Choice(["none", "steady", "bursts", "flood"]),
        metavar="PROFILE",
        help="none, steady, bursts or flood. (default: none)",
    ),
    click.option("--emitting", metavar="SHARE", help="Whose session prints. (default: 10%; of floods 1)"),
    click.option("--lines", type=_ABOVE_ZERO, help="Lines a second of a steady session. (default: 1)"),
    click.option("--reconnecting", metavar="SHARE", help="Whose network is lost every 10 seconds. (default: none)"),
    click.option("--resizing", metavar="SHARE", help="Who changes the size every 5 seconds. (default: none)"),
    parameters.several(
        "--mix", "Any role with its share, such as resize=5%; also of an --extension.", metavar="ROLE=SHARE"
    ),
    parameters.extension("behaviours or terminals"),
    click.option(
        "--scenario",
        type=parameters.PATH,
        metavar="FILE",
        help="Stages and mixes, as TOML; flags above replace what it says.",
    ),
    parameters.several("--expect", "Such as 'keystroke.p95<2ms'; may be given several times.", metavar="THRESHOLD"),
    parameters.flag("--abort-on-fail", "End the load once a threshold can no longer be met; exit status 1."),
    click.option("--seed", type=int, help="Who does what when follows from it. (default: random)"),
)
terminal = parameters.group(
    click.option(
        "--terminal",
        metavar="NAME",
        default="",
        shell_complete=completion.loadable,
        help="What to load; null-server is the clients alone. (default: ours)",
    ),
    click.option(
        "--url",
        metavar="[NAME=]URL",
        default="",
        help="Load a server that runs already: URL of one of ours, NAME=URL of another. NAME is its protocol: ttyd, "
        "gotty, terminado, jupyter-server, wetty, node-pty, plain.",
    ),
    parameters.token(),
)
clients = parameters.group(
    click.option("--clients", type=_AT_LEAST_ONE, help="Client processes. (default: from sessions, keys, processors)"),
    click.option(
        "--addresses", type=_AT_LEAST_ONE, help="Loopback addresses to dial from. (default: as many as needed)"
    ),
    click.option(
        "--scheduler", metavar="ADDRESS", default="", help="Clients on the workers of a Dask cluster: tcp://host:8786"
    ),
)
baselines = parameters.group(
    click.option("--save-baseline", metavar="NAME", default=_LAST, show_default=True, help="Save the load as NAME."),
    parameters.baseline("--baseline", "Compare with NAME."),
)


def load_options(flags: dict[str, Any]) -> LoadOptions:
    """What the flags ask to be done.

    Raises:
        OptionsError
    """
    from web_terminal_suite.bench.pipeline import LoadOptions, OutputProfile

    names = (
        "sessions", "ramp", "duration", "typing", "active", "emitting", "lines", "reconnecting", "resizing", "scenario",
        "seed", "terminal", "url", "token", "clients", "addresses", "scheduler", "confidence_level",
        "mix", "abort_on_fail",
    )  # fmt: skip
    output = flags["output"]
    return LoadOptions(
        **{name: flags[name] for name in names},
        output=None if output is None else OutputProfile(output),
        thresholds=flags["expect"],
        extensions=flags["extension"],
        network=flags["network"] or "",
    )


def storage_options(flags: dict[str, Any]) -> StorageOptions:
    """What the flags ask to be compared and kept.

    Raises:
        OptionsError, BaselineError
    """
    from web_terminal_suite.bench.baselines import check_name
    from web_terminal_suite.bench.pipeline import Choice, StorageOptions, home

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
