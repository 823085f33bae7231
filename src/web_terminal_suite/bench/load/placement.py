"""How a load is spread over client processes and source addresses, and whether this machine has room for it. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from web_terminal_suite.bench.load.scenario import Role
from web_terminal_suite.bench.machine.descriptors import OF_A_CLIENT
from web_terminal_suite.bench.machine.limits import DESCRIPTORS_KEPT, MachineLimits, ProcessSpread, feasible

if TYPE_CHECKING:
    from web_terminal_suite.bench.load.scenario import Scenario
    from web_terminal_suite.bench.machine.limits import SessionCapacity

CORES_PER_CLIENT: Final = 0.5
"""Wanted of a client process: well below the 80 % at which a verdict is refused, for there are peaks."""

CPU_PER_KEYSTROKE: Final = 120e-6
"""Seconds of a client's processor; ``web-terminal load --terminal null-server`` measures them here."""

CPU_PER_START: Final = 1.2e-3
CPU_PER_FLOOD: Final = 0.25
"""Cores to read one flood as fast as it comes."""

PORTS_KEPT: Final = 1_000
"""Of a source address, for everybody else and for ports that are not free again yet."""

LOCAL: Final = ("descriptors (client)", "net.ipv4.ip_local_port_range", "fs.file-max")
"""Limits that a client meets. The others are met by a server and its shells."""


def clients_for(scenario: Scenario, cores: int, limits: MachineLimits) -> int:
    """As many processes as descriptors ask for, and for processor time as many as there are cores for."""
    per_client = max(1, (of_clients(limits).nofile_soft or 0) - DESCRIPTORS_KEPT)
    needed = max(_cores(scenario, number) for number in range(len(scenario.stage)))
    return max(math.ceil(scenario.sessions / per_client), min(cores, math.ceil(needed / CORES_PER_CLIENT)), 1)


def addresses_for(sessions: int, limits: MachineLimits) -> int:
    """As many source addresses as it takes for every session to be given a port quickly.

    connect(2) takes ports of one parity first, and once those of an address are gone it looks at all of them each time
    before it takes one of the other (``__inet_hash_connect`` in the kernel): milliseconds of a client's processor.
    """
    if limits.port_low is None or limits.port_high is None:
        return 1
    ports = max(1, (limits.port_high - limits.port_low + 1 - PORTS_KEPT) // 2)
    return math.ceil(sessions / ports)


def loopback(addresses: int) -> tuple[str, ...]:
    """So many addresses of this machine; none where one will do, which is the kernel's choice."""
    if addresses <= 1:
        return ()
    # 127.0.0.0/8 is all loopback (RFC 1122 section 3.2.1.3), and .0 and .255 are left out for those who mind.
    return tuple(f"127.0.{number // 254}.{number % 254 + 1}" for number in range(addresses))


def shortages(
    limits: MachineLimits, spread: ProcessSpread, sessions: int, *, with_shells: bool
) -> list[SessionCapacity]:
    """The limits that are too low, the lowest first; where no shell is started here only those that a client meets."""
    of_client = feasible(of_clients(limits), spread, sessions).allowances
    of_server = feasible(limits, spread, sessions).allowances if with_shells else ()
    rows = [row for row in of_client if row.name in LOCAL] + [row for row in of_server if row.name not in LOCAL]
    short = [(row.sessions, row) for row in rows if row.sessions is not None and row.sessions < sessions]
    return [row for _, row in sorted(short, key=lambda each: each[0])]


def of_clients(limits: MachineLimits) -> MachineLimits:
    """The same with no more descriptors than a client process uses."""
    soft = OF_A_CLIENT if limits.nofile_soft is None else min(limits.nofile_soft, OF_A_CLIENT)
    return msgspec.structs.replace(limits, nofile_soft=soft)


def in_words(sessions: int, rows: list[SessionCapacity]) -> str:
    """Why so many sessions do not fit, and what to do about it."""
    first = rows[0]
    remedies = "; ".join(row.remedy for row in rows)
    return (
        f"{sessions:,} sessions are not feasible here: {first.name} = {first.value:,} allows {first.sessions:,}; "
        f"{remedies}; or try web-terminal doctor --sessions {sessions} --fix"
    )


def _cores(scenario: Scenario, number: int) -> float:
    """Cores that the clients of a stage take, at the busiest."""
    stage = scenario.stage[number]
    before = scenario.stage[number - 1].sessions if number else 0
    arriving = stage.ramp * CPU_PER_START if stage.sessions > before else 0.0
    floods = stage.share_of(Role.FLOOD).of(stage.sessions)
    return max(arriving, stage.typing * CPU_PER_KEYSTROKE + floods * CPU_PER_FLOOD)
