"""``web-terminal doctor``: how many sessions this machine carries, which limit binds, and what raises it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.decorators import FC

from web_terminal_suite.cli import parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from web_terminal_suite.bench.machine import Feasible, Fix, MachineSnapshot, MachineWarning

TOO_FEW = 1


def _number(name: str, help: str, default: int = 1) -> Callable[[FC], FC]:
    return click.option(name, type=click.IntRange(min=1), default=default, show_default=True, help=help)


@click.command()
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
        _print_fixes(console, fixes)
        _print_table(console, found, now, cautions)
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
    click.echo(msgspec.json.format(msgspec.json.encode(answer)).decode())


def _print_fixes(to: Console, fixes: tuple[Fix, ...]) -> None:
    from rich.text import Text

    for each in fixes:
        if each.refused:
            to.print(Text.assemble(("not raised ", "bold red"), f"{each.name}: {each.refused}"), soft_wrap=True)
        else:
            to.print(Text.assemble(("raised ", "bold green"), f"{each.name} from {each.before} to {each.after}"))
    if fixes:
        to.print()


def _print_table(to: Console, found: Feasible, now: MachineSnapshot, cautions: tuple[MachineWarning, ...]) -> None:
    from rich.text import Text

    from web_terminal_suite.bench.report.common import units

    memory = units.quantity(now.memory_total, "B")
    to.print(
        Text.assemble(
            ("Machine  ", "bold"),
            f"{now.cpus_usable} x {now.cpu_model}, {memory}, Linux {now.kernel}, {now.distribution}, {now.python}",
            (f" ({now.virtualisation})" if now.virtualisation != "none seen" else "", "dim"),
        )
    )
    to.print()
    _print_limits(to, found)
    to.print()
    wanted = "1 session is" if found.wanted == 1 else f"{units.count(found.wanted)} sessions are"
    verdict = Text(
        f"{wanted} feasible" if found.enough else f"{wanted} not feasible",
        style="bold green" if found.enough else "bold red",
    )
    verdict = Text.assemble(verdict)
    verdict.append(f"; the largest number is {units.count(found.sessions)}, bound by {found.binding.name}")
    to.print(verdict)
    short = [each for each in found.allowances if each.remedy]
    if short:
        to.print(Text(f"\nTo reach {units.count(found.wanted)}:", style="bold"))
    width = max((len(each.name) for each in short), default=0)
    for each in short:
        to.print(Text.assemble((f"  {each.name:<{width}}  ", "dim"), each.remedy), soft_wrap=True)
    if cautions:
        to.print(Text("\nBefore measuring here:", style="bold"))
    for caution in cautions:
        line = Text.assemble((f"  {caution.seen}", "yellow"), f": {caution.matters}; {caution.remedy}")
        to.print(line)


def _print_limits(to: Console, found: Feasible) -> None:
    from rich.text import Text

    from web_terminal_suite.bench.report.common import units

    header = ("limit", "value", "sessions", "cost")
    lines = [
        (
            each.name,
            units.quantity(each.value, "B") if each.name == "memory" else units.count(each.value),
            units.MISSING if each.sessions is None else units.count(each.sessions),
            each.cost,
        )
        for each in found.allowances
    ]
    widths = [max(len(line[place]) for line in (header, *lines)) for place in range(len(header))]
    for each, line in zip((None, *found.allowances), (header, *lines), strict=True):
        name, value, sessions, cost = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        short = each is not None and bool(each.remedy)
        style = "dim" if each is None else "bold red" if short else "green" if each.sessions is not None else ""
        row = Text.assemble(
            ("✗ " if short else "  ", style),
            (name, "dim" if each is None else ""),
            (f"  {value.strip():>{widths[1]}}", "dim" if each is None else ""),
            (f"  {sessions.strip():>{widths[2]}}", style),
            (f"  {cost.rstrip()}", "dim"),
        )
        to.print(row, soft_wrap=True)
