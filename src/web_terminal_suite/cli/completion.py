"""Shell completion: prints click's completion script, or puts it where the shell reads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = "web-terminal"
VARIABLE = "_WEB_TERMINAL_COMPLETE"
"""Set to ``bash_source``, ``zsh_source`` or ``fish_source``, it makes the program print its completion script."""

SHELLS = ("bash", "zsh", "fish")

# A file that the shell reads at its start, and the line there that reads the script; fish needs no line.
_STARTUP = {"bash": ".bashrc", "zsh": ".zshrc"}


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--install-completion`` and ``--show-completion``."""
    for name, callback, text in (
        (
            "--show-completion",
            _show,
            "Show completion for the current shell, to copy it or customize the installation.",
        ),
        ("--install-completion", _install, "Install completion for the current shell."),
    ):
        command = click.option(name, is_flag=True, is_eager=True, expose_value=False, callback=callback, help=text)(
            command
        )
    return command


def script(shell: str) -> str:
    """The completion script for a shell."""
    found = get_completion_class(shell)
    assert found is not None  # SHELLS are those that click knows
    # The program's own command is not needed: the script only calls it later.
    return found(click.Group(PROGRAM), {}, PROGRAM, VARIABLE).source()


def install(shell: str, home: Path) -> Path:
    """Write the script below ``home`` and have the shell read it; where it was written."""
    if shell == "fish":
        path = home / ".config/fish/completions" / f"{PROGRAM}.fish"
    else:
        path = home / ".local/share" / PROGRAM / f"completion.{shell}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script(shell))
    if shell in _STARTUP:
        startup = home / _STARTUP[shell]
        line = f"source '{path}'"
        before = startup.read_text() if startup.exists() else ""
        if line not in before.splitlines():
            startup.write_text(f"{before}\n{line}\n" if before else f"{line}\n")
    return path


def _show(ctx: click.Context, option: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(script(_shell()))
        ctx.exit()


def _install(ctx: click.Context, option: click.Parameter, wanted: bool) -> None:
    if wanted:
        shell = _shell()
        click.echo(f"{shell} completion installed in {install(shell, Path.home())}")
        click.echo("Completion will take effect once you restart the terminal")
        ctx.exit()


def _shell() -> str:
    """The shell that started this program, else the user's."""
    try:
        parent = Path(f"/proc/{os.getppid()}/comm").read_text().strip()
    except OSError:
        parent = ""
    for name in (parent, Path(os.environ.get("SHELL", "")).name):
        if name in SHELLS:
            return name
    raise click.ClickException(f"there is no completion for this shell, only for {', '.join(SHELLS)}")


def benchmarks(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Benchmarks of which the name has what was typed in it, as a filter has."""
    from web_terminal_suite.bench.plan import name, select
    from web_terminal_suite.bench.suites.catalogue import CATALOGUE

    found = [(name(*each), each[0].description) for each in select(CATALOGUE, ())]
    starting = [each for each in found if each[0].startswith(incomplete)]
    return [CompletionItem(each, help=text) for each, text in starting or found if incomplete in each]


def terminals(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Terminals that can be started."""
    from web_terminal_suite.bench.terminals.registry import EVERY, SUBJECTS

    return [CompletionItem(each) for each in (*SUBJECTS, EVERY) if each.startswith(incomplete)]


def loadable(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Terminals that can be loaded: one that can be started, or the clients alone."""
    from web_terminal_suite.bench.terminals.null import NullServer
    from web_terminal_suite.bench.terminals.registry import SUBJECTS

    return [CompletionItem(each) for each in (*SUBJECTS, NullServer.name) if each.startswith(incomplete)]


def networks(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Named networks, with what they are."""
    from web_terminal_suite.bench.network.conditions import PROFILES

    found = [(name, str(each.conditions)) for name, each in PROFILES.items()]
    return [CompletionItem(name, help=text) for name, text in found if name.startswith(incomplete)]


def checks(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Checks of behaviour, with what they ask."""
    from web_terminal_suite.bench.conformance.table import CHECKS

    return [CompletionItem(each.name, help=each.question) for each in CHECKS if each.name.startswith(incomplete)]


def words(*known: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Completes what an option takes."""
    return lambda ctx, parameter, incomplete: [CompletionItem(each) for each in known if each.startswith(incomplete)]


def saved_runs(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of baselines, and files."""
    from web_terminal_suite.bench.baselines import Baselines
    from web_terminal_suite.bench.pipeline import home

    names = [each for each in Baselines(home(ctx.params.get("home"))).names() if each.startswith(incomplete)]
    return [*map(CompletionItem, names), CompletionItem(incomplete, type="file")]


def baselines(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of baselines."""
    return saved_runs(ctx, parameter, incomplete)[:-1]
