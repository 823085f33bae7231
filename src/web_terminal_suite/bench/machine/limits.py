"""How many sessions this machine carries: every limit, what it allows, which one binds, what raises it.

Arithmetic on what ``kernel.read_limits`` has read. The costs follow the server's processes: a
worker holds two descriptors for an attached session (socket and PTY master), a host one and a shared memory file
for every 64 logs, a client process one socket.
"""

from __future__ import annotations

import math

import msgspec

DESCRIPTORS_WORKER = 2
DESCRIPTORS_CLIENT = 1
LOGS_PER_FILE = 64
HOSTS = 16
"""Processes that keep shells: a server starts as many as its sessions need, and no more than this."""

DESCRIPTORS_KEPT = 64
"""A process' own: standard streams, event loop, listening socket, libraries, log files."""

FILES_PER_SESSION = 4
"""Open file descriptions in the whole system: master (shared by host and worker), slave, and two ends of a socket."""

PROCESSES_KEPT = 64
"""Our own processes and threads, and a margin for what else starts meanwhile."""

MEMORY_PER_SESSION = 350_000
"""Bytes, everything included: 49,800 sessions of sh with a WebSocket each took 17.3 GB, kernel included."""

SHELL_PSS = 150_000
"""Bytes of that which are an idle sh (PSS, dash); an idle bash takes 400,000 to 600,000."""

MEMORY_KEPT = 512_000_000
"""Bytes left to the system and to our own processes."""


_PORTS = 64_000
"""Of one address at most; the others are servers' and the system's."""


class ProcessSpread(msgspec.Struct, frozen=True, kw_only=True):
    """How the sessions would be spread. ``addresses`` are the loopback source addresses the clients dial from."""

    workers: int = 1
    clients: int = 1
    addresses: int = 1

    def __post_init__(self) -> None:
        for name in ("workers", "clients", "addresses"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; at least 1 is needed")


class MachineLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel allows and what is in use. ``None`` is unknown or unlimited; neither binds."""

    nofile_soft: int | None
    nofile_hard: int | None
    nr_open: int | None
    file_max: int | None
    files_open: int
    pty_max: int | None
    pty_open: int
    pty_reserve: int
    pty_reserve_ours: bool
    """Whether our devpts may use the reserve: only one mounted in the first mount namespace may (devpts(5))."""
    pid_max: int | None
    threads_max: int | None
    processes: int
    """Threads and processes of the whole system: each takes a number."""
    cgroup_pids_max: int | None
    cgroup_pids: int
    cgroup_pids_file: str
    nproc_soft: int | None
    """``None`` for a user whom the kernel does not hold to it (root)."""
    processes_of_user: int
    port_low: int | None
    port_high: int | None
    somaxconn: int | None
    memory_available: int
    cgroup_memory_free: int | None


class SessionCapacity(msgspec.Struct, frozen=True, kw_only=True):
    """One limit. ``sessions`` is ``None`` where it sets no bound on a number of sessions."""

    name: str
    value: int
    sessions: int | None
    cost: str
    """What a session takes of it, in words."""
    remedy: str = ""
    """The command that would make it suffice; empty where it does."""
    needed: int | None = None
    """What it must be at least, where a number would make it suffice and does not yet."""


class Feasible(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: the largest number of sessions, the limits in ascending order, the first of which binds."""

    sessions: int
    wanted: int
    spread: ProcessSpread
    allowances: tuple[SessionCapacity, ...]

    @property
    def enough(self) -> bool:
        return self.sessions >= self.wanted

    @property
    def binding(self) -> SessionCapacity:
        return self.allowances[0]


def feasible(limits: MachineLimits, spread: ProcessSpread, wanted: int) -> Feasible:
    """The largest number of sessions that every limit allows, and what to raise to reach ``wanted``."""
    rows = [
        *_descriptors(limits, spread, wanted),
        *_terminals(limits, wanted),
        *_processes(limits, wanted),
        *_network(limits, spread, wanted),
        *_memory(limits, wanted),
    ]
    rows.sort(key=lambda row: math.inf if row.sessions is None else row.sessions)
    bounds = [row.sessions for row in rows if row.sessions is not None]
    return Feasible(sessions=min(bounds, default=0), wanted=wanted, spread=spread, allowances=tuple(rows))


def _row(
    name: str, value: int | None, sessions: int, cost: str, wanted: int, remedy: str, needed: int | None = None
) -> list[SessionCapacity]:
    """The row of a known limit, with its remedy and the number it ``needed`` only where one is needed."""
    if value is None:
        return []
    sessions = max(0, sessions)
    if sessions >= wanted:
        return [SessionCapacity(name=name, value=value, sessions=sessions, cost=cost)]
    return [SessionCapacity(name=name, value=value, sessions=sessions, cost=cost, remedy=remedy, needed=needed)]


def _descriptors(limits: MachineLimits, spread: ProcessSpread, wanted: int) -> list[SessionCapacity]:
    rows: list[SessionCapacity] = []
    # The server's processes raise their own limit as far as they may.
    of_server = limits.nofile_soft and (limits.nofile_hard or limits.nofile_soft)
    host_wanted = math.ceil(wanted / HOSTS)
    processes = (
        ("worker", of_server, DESCRIPTORS_WORKER, spread.workers, DESCRIPTORS_WORKER * wanted / spread.workers),
        ("host", of_server, 1 + 1 / LOGS_PER_FILE, HOSTS, host_wanted + host_wanted / LOGS_PER_FILE),
        (
            "client",
            limits.nofile_soft,
            DESCRIPTORS_CLIENT,
            spread.clients,
            DESCRIPTORS_CLIENT * wanted / spread.clients,
        ),
    )
    costs = {
        "worker": f"{DESCRIPTORS_WORKER} a session in {_many(spread.workers, 'worker')}",
        "host": f"1 a session and 1 for {LOGS_PER_FILE} logs, in up to {HOSTS} hosts",
        "client": f"{DESCRIPTORS_CLIENT} a session in {_many(spread.clients, 'client')}",
    }
    for name, value, each, many, needed in processes:
        room = int(((value or 0) - DESCRIPTORS_KEPT) / each)
        least = math.ceil(needed) + DESCRIPTORS_KEPT
        remedy = _raise_nofile(limits, least)
        if name != "host" and room * many < wanted and room > 1:
            remedy += f", or --{name}s {math.ceil(wanted / room)}"
        rows += _row(f"descriptors ({name})", value, room * many, costs[name], wanted, remedy, least)
    allowed = ((limits.file_max or 0) - limits.files_open) // FILES_PER_SESSION
    least = limits.files_open + wanted * FILES_PER_SESSION
    remedy = f"sysctl -w fs.file-max={least}"
    return rows + _row("fs.file-max", limits.file_max, allowed, f"{FILES_PER_SESSION} a session", wanted, remedy, least)


def _raise_nofile(limits: MachineLimits, needed: int) -> str:
    """The shortest way to ``needed`` descriptors a process."""
    if limits.nr_open is not None and needed > limits.nr_open:
        return f"sysctl -w fs.nr_open={needed} && ulimit -Hn {needed} && ulimit -n {needed} (as root)"
    if limits.nofile_hard is not None and needed > limits.nofile_hard:
        return f"ulimit -Hn {needed} && ulimit -n {needed} (as root; the hard limit is {limits.nofile_hard})"
    return f"ulimit -n {needed}"


def _terminals(limits: MachineLimits, wanted: int) -> list[SessionCapacity]:
    reserve = 0 if limits.pty_reserve_ours else limits.pty_reserve
    # The kernel refuses when the count, the new one included, reaches the limit (fs/devpts/inode.c): one is lost.
    room = (limits.pty_max or 0) - reserve - limits.pty_open - 1
    cost = "1 a session" + (f"; {reserve} are kept for the first mount namespace" if reserve else "")
    least = wanted + reserve + limits.pty_open + 1
    return _row("kernel.pty.max", limits.pty_max, room, cost, wanted, f"sysctl -w kernel.pty.max={least}", least)


def _processes(limits: MachineLimits, wanted: int) -> list[SessionCapacity]:
    total = limits.processes + PROCESSES_KEPT
    of_user = limits.processes_of_user + PROCESSES_KEPT
    in_cgroup = limits.cgroup_pids + PROCESSES_KEPT
    one = "1 a session"
    rows = _row(
        "kernel.pid_max",
        limits.pid_max,
        (limits.pid_max or 0) - total,
        one,
        wanted,
        f"sysctl -w kernel.pid_max={wanted + total}",
        wanted + total,
    )
    rows += _row(
        "kernel.threads-max",
        limits.threads_max,
        (limits.threads_max or 0) - total,
        one,
        wanted,
        f"sysctl -w kernel.threads-max={wanted + total}",
        wanted + total,
    )
    rows += _row(
        "cgroup pids.max",
        limits.cgroup_pids_max,
        (limits.cgroup_pids_max or 0) - in_cgroup,
        one,
        wanted,
        f"echo {wanted + in_cgroup} > {limits.cgroup_pids_file}",
        wanted + in_cgroup,
    )
    return rows + _row(
        "ulimit -u",
        limits.nproc_soft,
        (limits.nproc_soft or 0) - of_user,
        one,
        wanted,
        f"ulimit -u {wanted + of_user}",
        wanted + of_user,
    )


def _network(limits: MachineLimits, spread: ProcessSpread, wanted: int) -> list[SessionCapacity]:
    rows: list[SessionCapacity] = []
    if limits.port_low is not None and limits.port_high is not None:
        ports = limits.port_high - limits.port_low + 1
        per_address = math.ceil(wanted / spread.addresses)
        can_widen = per_address <= _PORTS
        remedy = f"dial from {math.ceil(wanted / ports)} source addresses (127.0.0.1, 127.0.0.2, ...)"
        if can_widen:
            remedy = f'sysctl -w net.ipv4.ip_local_port_range="{65535 - per_address} 65535", or {remedy}'
        cost = f"1 a session from {_many(spread.addresses, 'source address')}"
        least = per_address if can_widen else None
        rows += _row("net.ipv4.ip_local_port_range", ports, ports * spread.addresses, cost, wanted, remedy, least)
    if limits.somaxconn is not None:
        cost = "bounds a burst of connections, not sessions"
        rows.append(SessionCapacity(name="net.core.somaxconn", value=limits.somaxconn, sessions=None, cost=cost))
    return rows


def _memory(limits: MachineLimits, wanted: int) -> list[SessionCapacity]:
    free = [limits.memory_available, *([] if limits.cgroup_memory_free is None else [limits.cgroup_memory_free])]
    cost = f"{MEMORY_PER_SESSION / 1e6:.2f} MB a session, {SHELL_PSS / 1e6:.2f} MB of it the shell (sh)"
    needed = wanted * MEMORY_PER_SESSION + MEMORY_KEPT
    remedy = f"free memory: {needed / 1e9:.1f} GB are needed"
    return _row("memory", min(free), (min(free) - MEMORY_KEPT) // MEMORY_PER_SESSION, cost, wanted, remedy)


def _many(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}{'es' if word.endswith('s') else 's'}"
