"""The options that subcommands have, one function for each that several share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from click.decorators import FC

from web_terminal_suite.cli import completion

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from web_terminal_suite.bench.pipeline import Terms

    Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

PATH = click.Path(path_type=Path)
LEVEL = click.FloatRange(0.5, 0.9999)
THRESHOLD = click.FloatRange(min=0, max=1_000)
SIGNIFICANCE = click.FloatRange(1e-6, 0.5)


def group(*options: Callable[[FC], FC]) -> Callable[[FC], FC]:
    """Several options as one, in this order."""

    def add(command: FC) -> FC:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def flag(name: str, help: str, *names: str) -> Callable[[FC], FC]:
    """An option that is there or not."""
    return click.option(name, *names, is_flag=True, help=help)


def several(name: str, help: str, **more: Any) -> Callable[[FC], FC]:
    """An option that may be given several times."""
    return click.option(name, multiple=True, help=help, **more)


def run(help: str) -> Callable[[FC], FC]:
    """The record that a subcommand reads."""
    return click.argument("run", metavar="RUN", help=help, shell_complete=completion.saved_runs)


def baseline(name: str, help: str, complete: Complete = completion.baselines, **more: Any) -> Callable[[FC], FC]:
    """An option that takes the name of a saved run."""
    return click.option(name, shell_complete=complete, help=help, **{"default": "", "metavar": "NAME"} | more)


def extension(what: str) -> Callable[[FC], FC]:
    return several("--extension", f"A Python file that declares {what}; may be repeated.", type=PATH, metavar="FILE")


def home(what: str) -> Callable[[FC], FC]:
    return click.option("--home", type=PATH, help=f"Where {what}. (default: ./.web-terminal-bench)")


def confidence_level() -> Callable[[FC], FC]:
    return click.option("--confidence-level", type=LEVEL, default=0.95, show_default=True, help="Of every interval.")


def token() -> Callable[[FC], FC]:
    return click.option(
        "--token", envvar="WEB_TERMINAL_TOKEN", show_envvar=True, default="", help="For --url, where the URL has none."
    )


def network() -> Callable[[FC], FC]:
    return click.option(
        "--network",
        metavar="NETWORK",
        shell_complete=completion.networks,
        help="Reach the terminals through it: home, mobile, transatlantic, hotel, or values such as "
        "rtt=100ms,jitter=10ms,loss=1%,rate=10Mbit. (default: the loopback alone)",
    )


def record_file() -> Callable[[FC], FC]:
    return click.option("--json", type=PATH, metavar="FILE", help="Write record and results there.")


def force() -> Callable[[FC], FC]:
    return flag("--force", "Compare with a baseline of another machine.")


def no_plot() -> Callable[[FC], FC]:
    return flag("--noplot", "Write no HTML report.")


def no_history() -> Callable[[FC], FC]:
    return flag("--no-history", "Add nothing to the history.")


def noise_threshold(help: str) -> Callable[[FC], FC]:
    return click.option("--noise-threshold", type=THRESHOLD, default=0.05, show_default=True, help=help)


def significance_level(help: str) -> Callable[[FC], FC]:
    return click.option("--significance-level", type=SIGNIFICANCE, default=0.05, show_default=True, help=help)


def resamples(help: str) -> Callable[[FC], FC]:
    return click.option("--nresamples", type=click.IntRange(min=100), default=1_000, show_default=True, help=help)


def is_given(name: str) -> bool:
    """Whether the parameter of the command that runs now was given, and has not merely its default."""
    source = click.get_current_context().get_parameter_source(name)
    return source is not None and source is not ParameterSource.DEFAULT


def terms(**values: Any) -> Terms:
    """What a comparison goes by.

    Raises:
        OptionsError: a value that is out of its range, or that there is not.
    """
    from web_terminal_suite.bench.pipeline import OptionsError, Terms

    try:
        return Terms(**values)
    except ValueError as error:
        raise OptionsError(str(error)) from error
