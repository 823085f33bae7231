"""What should make a reader of the results careful: what was seen, why it matters, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.bench.machine.facts import MachineSnapshot

LOAD_PER_CPU = 0.5
"""Runnable processes a processor before the run begins; above, other work is running."""

STEAL_SHARE = 0.01
"""Share of processor time that the hypervisor gave to others; 1 % is every operation at the 99th percentile."""

FEWEST_TICKS = 200
"""Ticks (10 ms) below which the share of steal is a matter of rounding."""

CLOCK_COST_NS = 1_000
"""A call above this is a system call (a clock source without vDSO) and shows in component benchmarks."""

CPUS = 2
"""Below, client and server take turns on one processor, and each one's work is the other's latency."""


class MachineWarning(msgspec.Struct, frozen=True, kw_only=True):
    """One warning as a value; a report prints it as ``seen: matters; remedy``."""

    kind: str
    seen: str
    matters: str
    remedy: str


def between(before: MachineSnapshot, after: MachineSnapshot | None = None) -> tuple[MachineWarning, ...]:
    """What the two ends of a run give reason to say; only what the first shows where there is no second."""
    return (*_standing(before), *(() if after is None else _grown(before, after)))


def _standing(now: MachineSnapshot) -> Iterator[MachineWarning]:
    slow = [governor for governor in now.governors if governor != "performance"]
    if slow:
        yield MachineWarning(
            kind="governor",
            seen=f"frequency governor {', '.join(slow)}",
            matters="short work after a pause meets a slow clock, so idle latencies vary",
            remedy="cpupower frequency-set -g performance",
        )
    if now.load[0] > LOAD_PER_CPU * now.cpus_usable:
        yield MachineWarning(
            kind="load",
            seen=f"load average {now.load[0]:.2f} on {now.cpus_usable} processors",
            matters="other work takes processor time and shows up as latency",
            remedy=f"stop it, or run again when the load is below {LOAD_PER_CPU * now.cpus_usable:g}",
        )
    if now.swap_used:
        yield MachineWarning(
            kind="swap",
            seen=f"{now.swap_used / 1e6:,.0f} MB of swap in use",
            matters="a page that must be read back costs milliseconds, and memory figures miss what is swapped out",
            remedy="free memory, then swapoff -a and swapon -a",
        )
    if now.clock.cost_ns > CLOCK_COST_NS:
        yield MachineWarning(
            kind="clock",
            seen=f"reading the clock takes {now.clock.cost_ns:,.0f} ns (source {now.clock.source or 'unknown'})",
            matters="every operation is read at least twice, so component benchmarks measure the clock",
            remedy="use the tsc or kvm-clock source where the machine has it",
        )
    if now.cpus_usable < CPUS:
        yield MachineWarning(
            kind="processors",
            seen=f"{now.cpus_usable} usable processor",
            matters="client and server take turns, so each one's work is the other's latency",
            remedy="run on two processors or more",
        )


def _grown(before: MachineSnapshot, after: MachineSnapshot) -> Iterator[MachineWarning]:
    ticks = after.cpu_ticks - before.cpu_ticks
    steal = (after.steal_ticks - before.steal_ticks) / ticks if ticks >= FEWEST_TICKS else 0.0
    if steal > STEAL_SHARE:
        yield MachineWarning(
            kind="steal",
            seen=f"the hypervisor gave {steal:.1%} of processor time to others during the run",
            matters="it stood still at moments that no process here can see; the tail is not the server's alone",
            remedy="run on dedicated processors, or compare only what was interleaved in one run",
        )
    swapped = after.swapped_pages - before.swapped_pages
    if swapped > 0:
        yield MachineWarning(
            kind="swapping",
            seen=f"{swapped:,} pages were swapped during the run",
            matters="memory did not suffice: some latencies are the disk's",
            remedy="measure fewer sessions or add memory",
        )
