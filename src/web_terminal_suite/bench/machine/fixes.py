"""Raises limits so that more sessions fit. The only place of the suite that changes the machine; it never lowers one.

What is written lasts until the next boot (sysctl(8)) or as long as the process whose limit it is (setrlimit(2)).
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from web_terminal_suite.bench.machine.limits import MachineLimits, SessionCapacity

_SYSCTL: Final = Path("/proc/sys")
_SETTINGS: Final = {
    "kernel.pty.max": "kernel/pty/max",
    "kernel.pid_max": "kernel/pid_max",
    "kernel.threads-max": "kernel/threads-max",
    "fs.file-max": "fs/file-max",
}
_PORTS: Final = "net.ipv4.ip_local_port_range"
_LAST_PORT: Final = 65_535
_MARGIN: Final = 1_000
"""Above what is needed now: others come and go until it is."""
_PROCESSES: Final = {"ulimit -u": resource.RLIMIT_NPROC}
_DESCRIPTORS: Final = "descriptors"


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """One limit that was too low. ``refused`` says why it is as it was, and is empty where it was raised."""

    name: str
    before: str
    after: str
    refused: str = ""


def fix(short: Iterable[SessionCapacity], limits: MachineLimits) -> tuple[Fix, ...]:
    """Raise each limit of ``short`` that is a setting to what it must be; what was done and what could not be."""
    rows = list(short)
    found = [_fixed(row, limits) for row in rows if not row.name.startswith(_DESCRIPTORS)]
    # Several rows are one limit: the largest need decides.
    needs = [row.needed for row in rows if row.name.startswith(_DESCRIPTORS) and row.needed is not None]
    if needs:
        found.append(_raise_of_parent("ulimit -n", resource.RLIMIT_NOFILE, max(needs), limits.nr_open))
    return tuple(found)


def _fixed(row: SessionCapacity, limits: MachineLimits) -> Fix:
    if row.needed is None:
        return Fix(name=row.name, before=str(row.value), after=str(row.value), refused=f"no setting: {row.remedy}")
    if row.name in _SETTINGS:
        return _written(row.name, _SYSCTL / _SETTINGS[row.name], str(row.needed + _MARGIN))
    if row.name == _PORTS:
        return _written(row.name, _SYSCTL / "net/ipv4/ip_local_port_range", f"{_LAST_PORT - row.needed} {_LAST_PORT}")
    if row.name in _PROCESSES:
        return _raise_of_parent(row.name, _PROCESSES[row.name], row.needed, None)
    return _written(row.name, Path(limits.cgroup_pids_file), str(row.needed + _MARGIN))


def _written(name: str, path: Path, value: str) -> Fix:
    """A number in a file of the kernel's, read back: it may take less than it is given."""
    before = _read(path)
    return _tried(name, before, lambda: path.write_text(value), lambda: _read(path), value)


def _raise_of_parent(name: str, limit: int, needed: int, most: int | None) -> Fix:
    """A limit of this process and of the one that started it: the shell that starts the next commands."""
    soft, hard = resource.getrlimit(limit)
    if most is not None and needed > most:
        wanted = f"above fs.nr_open = {most}, which no process may exceed; raise that first"
        return Fix(name=name, before=str(soft), after=str(soft), refused=f"{needed} is {wanted}")
    parent = os.getppid()
    new_hard = hard if hard == resource.RLIM_INFINITY else max(hard, needed)

    def write() -> None:
        resource.setrlimit(limit, (needed, new_hard))
        resource.prlimit(parent, limit, (needed, new_hard))

    name = f"{name} (of process {parent}, which started this one, and of what it starts)"
    return _tried(name, str(soft), write, lambda: str(resource.prlimit(parent, limit)[0]), str(needed))


def _tried(name: str, before: str, write: Callable[[], object], read: Callable[[], str], value: str) -> Fix:
    try:
        write()
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        hint = "; run as root" if os.geteuid() else "; not even root may here"
        return Fix(name=name, before=before, after=before, refused=f"{value} was refused: {words.lower()}{hint}")
    after = read()
    refused = "" if after.split() == value.split() else f"{value} was written, and the kernel made {after} of it"
    return Fix(name=name, before=before, after=after, refused=refused)


def _read(path: Path) -> str:
    try:
        return " ".join(path.read_text().split())
    except OSError:
        return "unknown"
