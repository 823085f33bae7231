"""What ``doctor`` prints: each limit of a machine with the number of sessions that it allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from web_terminal_suite.bench.machine import Feasible, Fix, MachineSnapshot, MachineWarning


def print_fixes(to: Console, fixes: tuple[Fix, ...]) -> None:
    """What was raised and what was refused."""
    for each in fixes:
        if each.refused:
            to.print(Text.assemble(("not raised ", "bold red"), f"{each.name}: {each.refused}"), soft_wrap=True)
        else:
            to.print(Text.assemble(("raised ", "bold green"), f"{each.name} from {each.before} to {each.after}"))
    if fixes:
        to.print()


def print_table(to: Console, found: Feasible, now: MachineSnapshot, cautions: tuple[MachineWarning, ...]) -> None:
    """The machine, its limits, the verdict, and what raises each limit that is too low."""
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
