"""Reads what the kernel allows this process and this machine. Decides nothing.

Sources: getrlimit(2), proc_sys_fs(5), proc_sys_kernel(5), devpts documentation, cgroups(7).
"""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path

from web_terminal_suite.bench.machine.facts import read
from web_terminal_suite.bench.machine.limits import MachineLimits

INITIAL_MOUNT_NAMESPACES = (0xEFFFFFF8, 0xF0000000, 0xF0000001)
"""Inode of the first mount namespace: fixed since Linux 6.18, before that the first one or two to be numbered."""

UNLIMITED = 1 << 60
"""Bytes above which a memory limit is version 1's way to say that there is none."""


def read_limits() -> MachineLimits:
    """The limits of this process and of this machine, now."""
    soft, hard = (_finite(value) for value in resource.getrlimit(resource.RLIMIT_NOFILE))
    ports = (read("/proc/sys/net/ipv4/ip_local_port_range") or "").split()
    pids = _cgroup_file("pids", "pids.max")
    return MachineLimits(
        nofile_soft=soft,
        nofile_hard=hard,
        nr_open=_number("/proc/sys/fs/nr_open"),
        file_max=_number("/proc/sys/fs/file-max"),
        files_open=_number("/proc/sys/fs/file-nr") or 0,
        pty_max=_number("/proc/sys/kernel/pty/max"),
        pty_open=_number("/proc/sys/kernel/pty/nr") or 0,
        pty_reserve=_number("/proc/sys/kernel/pty/reserve") or 0,
        pty_reserve_ours=_in_first_mount_namespace(),
        pid_max=_number("/proc/sys/kernel/pid_max"),
        threads_max=_number("/proc/sys/kernel/threads-max"),
        processes=_threads(),
        cgroup_pids_max=_number(pids) if pids else None,
        cgroup_pids=(_number(pids.with_name("pids.current")) or 0) if pids else 0,
        cgroup_pids_file=str(pids or ""),
        # A process with CAP_SYS_RESOURCE, such as root's, is not bound by it (getrlimit(2)).
        nproc_soft=None if os.geteuid() == 0 else _finite(resource.getrlimit(resource.RLIMIT_NPROC)[0]),
        processes_of_user=_processes_of(os.getuid()),
        port_low=int(ports[0]) if len(ports) == 2 else None,
        port_high=int(ports[1]) if len(ports) == 2 else None,
        somaxconn=_number("/proc/sys/net/core/somaxconn"),
        memory_available=memory_available(),
        cgroup_memory_free=_cgroup_memory_free(),
    )


def _finite(value: int) -> int | None:
    return None if value == resource.RLIM_INFINITY else value


def _number(path: Path | str) -> int | None:
    """The first number in a file; ``None`` for ``max``, which is cgroup for unlimited, or nothing readable."""
    found = re.match(r"\d+", read(path) or "")
    return int(found.group()) if found else None


def _in_first_mount_namespace() -> bool:
    try:
        return Path("/proc/self/ns/mnt").stat().st_ino in INITIAL_MOUNT_NAMESPACES
    except OSError:
        # Unknown: assume the smaller share.
        return False


def _threads() -> int:
    """The fourth field of loadavg is running/existing scheduling entities (proc(5))."""
    found = re.search(r"/(\d+) ", read("/proc/loadavg") or "")
    return int(found.group(1)) if found else 0


def _processes_of(user: int) -> int:
    count = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            count += path.stat().st_uid == user
        except OSError:
            # It ended while we looked.
            continue
    return count


def memory_available() -> int:
    """Bytes that can be had without swapping."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", read("/proc/meminfo") or "", re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def _cgroup_memory_free() -> int | None:
    """What our memory cgroup leaves; version 1 says unlimited by a number above all memory."""
    for limit, usage in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
        path = _cgroup_file("memory", limit)
        if path is not None and (most := _number(path)) is not None:
            return max(0, most - (_number(path.with_name(usage)) or 0)) if most < UNLIMITED else None
    return None


def _cgroup_file(controller: str, name: str) -> Path | None:
    """The nearest file of that name above our own cgroup: version 1's tree of the controller, or version 2's."""
    for line in (read("/proc/self/cgroup") or "").splitlines():
        number, controllers, group = line.split(":", 2)
        if number != "0" and controller not in controllers.split(","):
            continue
        roots = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified") if number == "0" else (f"/sys/fs/cgroup/{controllers}",)
        for root in roots:
            here = Path(root + group)
            for directory in (here, *here.parents):
                if directory.is_relative_to(root) and (directory / name).exists():
                    return directory / name
    return None
