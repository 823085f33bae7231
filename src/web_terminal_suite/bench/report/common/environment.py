"""The machine and the terminals of a run, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from web_terminal_suite.bench.report.common import labels, units

if TYPE_CHECKING:
    from web_terminal_suite.bench.samples import Run, TerminalFacts

MACHINE = {
    "cpu_model": "processor",
    "cpu_count": "processors",
    "cpus_usable": "processors usable",
    "governors": "frequency governor",
    "turbo": "turbo",
    "virtualisation": "virtualisation",
    "memory_total": "memory",
    "memory_available": "memory available",
    "swap_used": "swap used",
    "load": "load average",
    "kernel": "kernel",
    "distribution": "distribution",
    "python": "Python",
    "hostname": "host name",
}


class TerminalWords(NamedTuple):
    """One terminal of the run; ``command`` is its URL where it was already running."""

    name: str
    version: str
    role: str
    command: str
    capabilities: str


def terminals(run: Run, *, brief: bool = False) -> list[TerminalWords]:
    """Every terminal of the run; ``brief`` names programs without their directories."""
    return [_terminal(each, brief) for each in run.terminals]


def _terminal(facts: TerminalFacts, brief: bool) -> TerminalWords:
    command = labels.command(facts.command) if brief else " ".join(facts.command)
    if facts.missing:
        command = f"not measured: {facts.missing}"
    return TerminalWords(facts.name, facts.version, facts.role, facts.url or command, ", ".join(facts.capabilities))


def environment(machine: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What is known of the machine: a name, its value before the run, and after the run where that differs."""
    before, after = machine.get("before") or {}, machine.get("after") or {}
    found = []
    for key, name in MACHINE.items():
        first, last = (_machine_words(key, snapshot.get(key)) for snapshot in (before, after))
        if first or last:
            found.append((name, first, "" if last == first else last))
    clock = before.get("clock") or {}
    if clock:
        words = f"{clock.get('source') or 'unknown source'}, a reading costs {clock.get('cost_ns', 0):.0f} ns"
        found.append(("clock", words, ""))
    ticks = [each.get("cpu_ticks") or 0 for each in (before, after)]
    stolen = [each.get("steal_ticks") or 0 for each in (before, after)]
    if after and ticks[1] > ticks[0]:
        found.append(("stolen by the hypervisor", f"{(stolen[1] - stolen[0]) / (ticks[1] - ticks[0]) * 100:.1f} %", ""))
    packages = before.get("packages") or {}
    if packages:
        found.append(("packages", ", ".join(f"{name} {number}" for name, number in packages.items()), ""))
    return found


def network(machine: dict[str, Any]) -> str:
    """The network that the suite put before the terminals, and what was measured of it; empty where there was none."""
    found = machine.get("network") or {}
    if not found:
        return ""
    name, conditions = found.get("name"), found.get("conditions", "")
    words = f"{name} ({conditions})" if name else conditions
    if "median_ns" not in found:
        return words
    cost = found.get("proxy_ns", 0) - found.get("direct_ns", 0)
    measured = [f"a round trip of {found['median_ns'] / 1e6:.2f} ms"]
    lower, upper = found.get("loss") or (0.0, 0.0)
    if found.get("lossy"):
        measured.append(f"{lower:.2%} to {upper:.2%} of segments lost")
    if found.get("rate_bits"):
        measured.append(f"{found['rate_bits'] / 1e6:.3g} Mbit/s")
    return f"{words}; measured: {', '.join(measured)}; the proxy itself adds {cost / 1e6:.2f} ms"


def browser(machine: dict[str, Any]) -> str:
    """The browser that pages were measured in, and what drew them; empty where none were."""
    found = machine.get("browser") or {}
    if not found:
        return ""
    width, height = found.get("viewport") or ("?", "?")
    rates = found.get("frames_per_second") or {}
    limits = [
        f"frame limit {limit} ({rates[limit]:.0f} measured)" if limit in rates else f"frame limit {limit}"
        for limit in found.get("frame_limits") or ()
    ]
    drawn = [f"{name} {how}" for name, how in (found.get("features") or {}).items()]
    pages = [f"{how} on {name}" for name, how in (found.get("renderers") or {}).items()]
    parts = [
        f"{str(found.get('name', 'browser')).capitalize()} {found.get('version', '')}".strip(),
        f"{width} \N{MULTIPLICATION SIGN} {height} at scale {found.get('device_scale', '?')}",
        *limits,
        f"graphics: {found.get('gpu') or 'unknown'}" + (f" ({', '.join(drawn)})" if drawn else ""),
    ]
    return "; ".join(parts + ([f"pages draw with {', '.join(pages)}"] if pages else []))


def plain(value: Any) -> str:
    """A value of a record as text: ``yes`` and ``no``, lists with commas."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value)
    return str(value)


def _machine_words(key: str, value: Any) -> str:
    if value is None or value == []:
        return ""
    if key.startswith(("memory", "swap")) and isinstance(value, int | float):
        return units.quantity(float(value), "B")
    if key == "load":
        return " ".join(f"{each:.2f}" for each in value)
    return plain(value)
