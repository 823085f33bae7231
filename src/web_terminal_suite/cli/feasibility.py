"""What ``doctor`` prints: each limit of a machine with the number of sessions that it allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from web_terminal_suite.bench.machine import (
        Feasible,
        Fix,
        MachineSnapshot,
        MachineWarning,
        SessionCapacity,
    )

COLUMNS = ("limit", "value", "sessions", "cost")


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
    from web_terminal_suite.bench.report.text import layout

    memory = units.quantity(now.memory_total, "B")
    machine = Text.assemble(
        ("Machine  ", "bold"),
        f"{now.cpus_usable} x {now.cpu_model}, {memory}, Linux {now.kernel}, {now.distribution}, {now.python}",
        (f" ({now.virtualisation})" if now.virtualisation != "none seen" else "", "dim"),
    )
    layout.print_sentence(to, machine)
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
    layout.print_sentence(to, verdict)
    short = [each for each in found.allowances if each.remedy]
    if short:
        to.print(Text(f"\nTo reach {units.count(found.wanted)}:", style="bold"))
    widths = {"name": max((len(each.name) for each in short), default=0)}
    widths["remedy"] = max((len(each.remedy) for each in short), default=0)
    for each in short:
        # A remedy is typed: it is cut nowhere but by the terminal.
        layout.print_cells(to, {"name": Text(each.name, style="dim"), "remedy": Text(each.remedy)}, widths, ())
    if cautions:
        to.print(Text("\nBefore measuring here:", style="bold"))
    for caution in cautions:
        line = Text.assemble((caution.seen, "yellow"), f": {caution.matters}; {caution.remedy}")
        layout.print_sentence(to, line, layout.INDENT)


def _print_limits(to: Console, found: Feasible) -> None:
    """A row for each limit; where that is too wide, its name stands on a line of its own."""
    from web_terminal_suite.bench.report.text import layout

    lines = [_cells(each) for each in found.allowances]
    header = {name: Text(name, style="dim") for name in COLUMNS} | {"limit": Text("  limit", style="dim")}
    widths = {name: max(line[name].cell_len for line in (header, *lines)) for name in COLUMNS}
    # The line begins with its mark.
    widths["limit"] -= layout.INDENT
    # What a session costs goes on below itself.
    is_narrow = layout.total({**widths, "cost": layout.NARROWEST}) > to.width
    if is_narrow:
        del widths["limit"]
    for line in (header, *lines):
        name = line["limit"]
        if is_narrow and line is not header:
            to.print(name, soft_wrap=True)
        indent = 2 * layout.INDENT
        text = Text(" " * indent) if is_narrow else Text.assemble(name, " " * (widths["limit"] + 4 - name.cell_len))
        for column in ("value", "sessions"):
            text.append(" " * (widths[column] - line[column].cell_len)).append_text(line[column]).append("  ")
        room = max(layout.NARROWEST, to.width - text.cell_len)
        first, *rest = line["cost"].wrap(to, room) or [Text()]
        continued = " " * text.cell_len
        for part in (Text.assemble(text, first), *(Text.assemble(continued, each) for each in rest)):
            part.rstrip()
            to.print(part, soft_wrap=True)


def _cells(each: SessionCapacity) -> dict[str, Text]:
    from web_terminal_suite.bench.report.common import units

    short = bool(each.remedy)
    style = "bold red" if short else "green" if each.sessions is not None else ""
    return {
        "limit": Text.assemble(("✗ " if short else "  ", style), each.name),
        "value": Text(units.quantity(each.value, "B") if each.name == "memory" else units.count(each.value)),
        "sessions": Text(units.MISSING if each.sessions is None else units.count(each.sessions), style=style),
        "cost": Text(each.cost, style="dim"),
    }
