"""A snapshot of the machine: what it is, and what it is busy with.

Whatever cannot be read is ``None``: a container hides much, and an unknown is a fact too. Sources: proc(5), sysfs
documentation ``admin-guide/pm/cpufreq``, os-release(5).
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import time
from datetime import UTC, datetime
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import msgspec

PACKAGES = ("web-terminal-suite", "numpy", "scipy", "picows", "uvloop", "msgspec", "uvicorn", "starlette", "psutil")
"""Whose versions can change a result."""

CLOCK_READINGS = 2_000
CPUS = Path("/sys/devices/system/cpu")


class ClockFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``time.perf_counter_ns``: its resolution, and what one call costs (median of adjacent readings), in ns."""

    resolution_ns: float
    cost_ns: float
    source: str | None


class MachineSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One moment. Sizes are bytes; ``cpu_ticks`` and the counters only mean something against a later snapshot."""

    taken: str
    hostname: str
    system: str
    kernel: str
    distribution: str
    python: str
    packages: dict[str, str]
    cpu_model: str
    cpu_count: int
    cpus_usable: int
    governors: list[str]
    turbo: bool | None
    virtualisation: str
    clock: ClockFacts
    memory_total: int
    memory_available: int
    swap_used: int
    swapped_pages: int
    load: list[float]
    cpu_ticks: int
    steal_ticks: int


def snapshot() -> MachineSnapshot:
    """The machine now. Takes about a millisecond and starts no process."""
    memory = _memory()
    ticks = _ticks()
    return MachineSnapshot(
        taken=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        hostname=platform.node(),
        system=platform.system(),
        kernel=platform.release(),
        distribution=_distribution(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=_versions(),
        cpu_model=_cpu_model(),
        cpu_count=os.cpu_count() or 1,
        cpus_usable=len(os.sched_getaffinity(0)),
        governors=sorted({text for path in CPUS.glob("cpu[0-9]*/cpufreq/scaling_governor") if (text := read(path))}),
        turbo=_turbo(),
        virtualisation=_virtualisation(),
        clock=_clock(),
        memory_total=memory.get("MemTotal", 0),
        memory_available=memory.get("MemAvailable", 0),
        swap_used=memory.get("SwapTotal", 0) - memory.get("SwapFree", 0),
        swapped_pages=_swapped_pages(),
        load=list(os.getloadavg()),
        cpu_ticks=sum(ticks),
        # proc(5): the eighth number of the line is steal.
        steal_ticks=ticks[7] if len(ticks) > 7 else 0,
    )


def read(path: Path | str) -> str | None:
    """The file without surrounding blanks, or ``None`` where it cannot be read."""
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError):
        # Absent in this kernel, hidden by the container, or no value now: all the same unknown.
        return None


def _memory() -> dict[str, int]:
    lines = re.findall(r"^(\w+):\s+(\d+) kB$", read("/proc/meminfo") or "", re.MULTILINE)
    return {name: int(kibibytes) * 1024 for name, kibibytes in lines}


def _ticks() -> list[int]:
    """Clock ticks of all processors together, by state. Guest time stands in user time already and is left out."""
    first = (read("/proc/stat") or "cpu").splitlines()[0]
    return [int(number) for number in first.split()[1:9]]


def _swapped_pages() -> int:
    counters = dict(line.split() for line in (read("/proc/vmstat") or "").splitlines())
    return int(counters.get("pswpin", 0)) + int(counters.get("pswpout", 0))


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        # os-release(5) asks for the file; a small container image may have none.
        return "unknown"


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            # Not installed is shown by its absence: the server runs without the bench extra, and the reverse.
            continue
    return found


def _cpu_model() -> str:
    found = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", read("/proc/cpuinfo") or "", re.MULTILINE)
    return found.group(1) if found else platform.processor() or platform.machine()


def _turbo() -> bool | None:
    intel = read(CPUS / "intel_pstate/no_turbo")
    if intel is not None:
        return intel == "0"
    boost = read(CPUS / "cpufreq/boost")
    return None if boost is None else boost == "1"


def _virtualisation() -> str:
    """A hint: the hypervisor's or the container's name where it shows, ``none seen`` where nothing does."""
    found = []
    names = [read(f"/sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name")]
    if re.search(r"^flags\s*:.*\bhypervisor\b", read("/proc/cpuinfo") or "", re.MULTILINE):
        found.append("virtual machine" + "".join(f" ({name})" for name in names[:1] if name))
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        found.append("container")
    return ", ".join(found) or "none seen"


def _clock() -> ClockFacts:
    readings = [time.perf_counter_ns() for _ in range(CLOCK_READINGS)]
    steps = [after - before for before, after in pairwise(readings)]
    return ClockFacts(
        resolution_ns=time.get_clock_info("perf_counter").resolution * 1e9,
        cost_ns=float(statistics.median(steps)),
        source=read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
    )
