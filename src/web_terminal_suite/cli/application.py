"""The command line: a group that imports a subcommand, and with it a half of the project, once it is asked for."""

from __future__ import annotations

import importlib

import click

from web_terminal_suite import __version__
from web_terminal_suite.cli import completion
from web_terminal_suite.cli.exit_status import Program

COMMANDS = {
    "serve": "web_terminal_suite.cli.serve",
    "drain": "web_terminal_suite.cli.drain",
    "token": "web_terminal_suite.cli.token",
    "users": "web_terminal_suite.cli.users",
    "attach": "web_terminal_suite.cli.attach",
    "bench": "web_terminal_suite.cli.bench",
    "load": "web_terminal_suite.cli.load",
    "conformance": "web_terminal_suite.cli.conformance",
    "validate": "web_terminal_suite.cli.validate",
    "compare": "web_terminal_suite.cli.compare",
    "history": "web_terminal_suite.cli.history",
    "report": "web_terminal_suite.cli.report",
    "export": "web_terminal_suite.cli.export",
    "doctor": "web_terminal_suite.cli.doctor",
}
"""Subcommand: the module with the ``click.Command`` of its name."""

SETTINGS = {"max_content_width": 120, "help_option_names": ["-h", "--help"]}


class Commands(Program):
    """The subcommands of ``COMMANDS``, in that order."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        # The whole first sentence; click would cut it where the line ends.
        command.short_help = " ".join((command.help or "").partition("\n\n")[0].split())
        return command


@click.group(cls=Commands, name="web-terminal", context_settings=SETTINGS)
@click.version_option(
    __version__,
    "--version",
    "-V",
    prog_name="web-terminal",
    message="%(prog)s %(version)s",
    help="Show the version.",
)
@completion.options
def application() -> None:
    """A web terminal, and the benchmark suite for web terminals."""
