"""``web-terminal doctor``: how many sessions this machine carries, which limit binds, and what raises it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.decorators import FC

from web_terminal_suite.cli import parameters
from web_terminal_suite.cli.exit_status import Subcommand
from web_terminal_suite.cli.streams import print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.bench.machine import Feasible, Fix, MachineSnapshot, MachineWarning

TOO_FEW = 1


def _number(name: str, help: str, default: int = 1) -> Callable[[FC], FC]:
    return click.option(name, type=click.IntRange(min=1), default=default, show_default=True, help=help)


@click.command(cls=Subcommand)
@_number("--sessions", "How many sessions at once the machine should carry.", 1000)
@_number("--workers", "Web workers of the server.")
@_number("--clients", "Processes that the load comes from, if it comes from here.")
@_number("--addresses", "Source addresses that the clients dial from.")
@parameters.flag("--fix", "Raise what is too low, as far as this user may.")
@parameters.flag("--json", "Print one JSON object instead of the table.", "as_json")
def doctor(sessions: int, workers: int, clients: int, addresses: int, fix: bool, as_json: bool) -> None:
    """Check this machine's limits against a number of sessions, and name the command that raises each.

    Exit code: 0 the sessions are feasible (with --fix: now), 1 they are not.
    """
    from web_terminal_suite.bench import machine
    from web_terminal_suite.bench.machine.descriptors import raise_descriptors
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.cli import feasibility

    spread = machine.ProcessSpread(workers=workers, clients=clients, addresses=addresses)
    # As every client does.
    raise_descriptors()
    limits = machine.read_limits()
    found = machine.feasible(limits, spread, sessions)
    fixes: tuple[Fix, ...] = ()
    if fix:
        fixes = machine.fix([row for row in found.allowances if row.remedy], limits)
        found = machine.feasible(machine.read_limits(), spread, sessions)
    now = machine.snapshot()
    cautions = machine.between(now)
    if as_json:
        _print_json(found, now, cautions, fixes)
    else:
        console = console_for()
        feasibility.print_fixes(console, fixes)
        feasibility.print_table(console, found, now, cautions)
    raise click.exceptions.Exit(0 if found.enough else TOO_FEW)


def _print_json(
    found: Feasible, now: MachineSnapshot, cautions: tuple[MachineWarning, ...], fixes: tuple[Fix, ...]
) -> None:
    import msgspec

    answer = {
        "feasible": found.sessions,
        "wanted": found.wanted,
        "enough": found.enough,
        "binding": found.binding.name,
        "spread": found.spread,
        "limits": found.allowances,
        "fixes": fixes,
        "warnings": cautions,
        "machine": now,
    }
    print_json(msgspec.json.format(msgspec.json.encode(answer)).decode())
