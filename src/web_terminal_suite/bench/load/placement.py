"""How many load generators and source addresses a load needs, and whether this machine can hold it. Pure."""

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

CORES_PER_GENERATOR: Final = 0.5
"""Planned usage of one load generator. Verdicts are refused above 80 %; the difference is for peaks."""

CPU_PER_KEYSTROKE: Final = 120e-6
"""Seconds of processor time; ``web-terminal load --terminal null-server`` measures them on this machine."""

CPU_PER_START: Final = 1.2e-3
CPU_PER_FLOOD: Final = 0.25
"""Cores that reading one flood takes."""

PORTS_KEPT: Final = 1_000
"""Of each source address: for other programs, and for ports in TIME_WAIT."""

_CLIENT_LIMITS: Final = ("descriptors (client)", "net.ipv4.ip_local_port_range", "fs.file-max")
"""Limits that concern load generators. The others concern a server and its shells."""


def generators_needed(scenario: Scenario, cores: int, limits: MachineLimits) -> int:
    """Number of load generators: enough for the descriptors, and up to one per core for the processor time."""
    per_generator = max(1, (generator_limits(limits).nofile_soft or 0) - DESCRIPTORS_KEPT)
    busy_cores = max(_cores_needed(scenario, number) for number in range(len(scenario.stage)))
    for_cpu = min(cores, math.ceil(busy_cores / CORES_PER_GENERATOR))
    return max(math.ceil(scenario.sessions / per_generator), for_cpu, 1)


def addresses_needed(sessions: int, limits: MachineLimits) -> int:
    """Number of source addresses with which the kernel finds a free port for every session quickly.

    connect(2) takes ports of one parity first. Once those of an address are used up, it searches all of them each time
    before it takes one of the other parity (``__inet_hash_connect`` in the kernel), which takes milliseconds.
    """
    if limits.port_low is None or limits.port_high is None:
        return 1
    ports = max(1, (limits.port_high - limits.port_low + 1 - PORTS_KEPT) // 2)
    return math.ceil(sessions / ports)


def loopback_addresses(count: int) -> tuple[str, ...]:
    """``count`` addresses of the loopback interface; none if one suffices, which the kernel then chooses."""
    if count <= 1:
        return ()
    # 127.0.0.0/8 is all loopback (RFC 1122 section 3.2.1.3); .0 and .255 are left out, as some programs reject them.
    return tuple(f"127.0.{number // 254}.{number % 254 + 1}" for number in range(count))


def shortages(
    limits: MachineLimits, processes: ProcessSpread, sessions: int, *, with_shells: bool
) -> list[SessionCapacity]:
    """The limits that are too low, the lowest first; without shells only those that concern load generators."""
    of_generators = feasible(generator_limits(limits), processes, sessions).allowances
    of_server = feasible(limits, processes, sessions).allowances if with_shells else ()
    rows = [row for row in of_generators if row.name in _CLIENT_LIMITS]
    rows += [row for row in of_server if row.name not in _CLIENT_LIMITS]
    short = [(row.sessions, row) for row in rows if row.sessions is not None and row.sessions < sessions]
    return [row for _, row in sorted(short, key=lambda each: each[0])]


def generator_limits(limits: MachineLimits) -> MachineLimits:
    """The same limits, with no more descriptors than a load generator uses."""
    soft = OF_A_CLIENT if limits.nofile_soft is None else min(limits.nofile_soft, OF_A_CLIENT)
    return msgspec.structs.replace(limits, nofile_soft=soft)


def describe(sessions: int, shortages: list[SessionCapacity]) -> str:
    """Why that many sessions do not fit, and what to do about it."""
    first = shortages[0]
    remedies = "; ".join(row.remedy for row in shortages)
    return (
        f"{sessions:,} sessions are not feasible here: {first.name} = {first.value:,} allows {first.sessions:,}; "
        f"{remedies}; or try web-terminal doctor --sessions {sessions} --fix"
    )


def _cores_needed(scenario: Scenario, number: int) -> float:
    """Cores that the load generators of a stage use at their peak."""
    stage = scenario.stage[number]
    before = scenario.stage[number - 1].sessions if number else 0
    ramp_up = stage.ramp * CPU_PER_START if stage.sessions > before else 0.0
    floods = stage.share_of(Role.FLOOD).of(stage.sessions)
    return max(ramp_up, stage.typing * CPU_PER_KEYSTROKE + floods * CPU_PER_FLOOD)
