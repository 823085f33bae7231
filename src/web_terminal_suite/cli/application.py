"""The command line: assembles the subcommands and imports a half of the project only once it is asked for."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

from web_terminal_suite import __version__

COMMANDS = {
    "serve": "web_terminal_suite.cli.serve",
    "attach": "web_terminal_suite.cli.attach",
    "bench": "web_terminal_suite.cli.bench",
    "load": "web_terminal_suite.cli.load",
    "validate": "web_terminal_suite.cli.validate",
    "compare": "web_terminal_suite.cli.compare",
    "history": "web_terminal_suite.cli.history",
    "report": "web_terminal_suite.cli.report",
    "export": "web_terminal_suite.cli.export",
    "doctor": "web_terminal_suite.cli.doctor",
}
"""Subcommand: the module that has a function of its name."""


def _version(wanted: bool) -> None:
    if wanted:
        print(f"web-terminal {__version__}")
        raise typer.Exit


def application(only: str | None = None) -> typer.Typer:
    """The Typer application with all subcommands, or with ``only`` one to spare the others' imports."""
    app = typer.Typer(
        name="web-terminal", no_args_is_help=True, add_completion=only is None, pretty_exceptions_enable=False
    )

    @app.callback()
    def _options(
        version: Annotated[
            bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
        ] = False,
    ) -> None:
        """A web terminal, and the benchmark suite for web terminals."""

    for name, module in COMMANDS.items():
        if only in (None, name) and name != "serve":
            app.command(name)(getattr(importlib.import_module(module), name))
    return app
