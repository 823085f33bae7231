"""The machine: arithmetic on made-up limits, and reading of the real ones."""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from web_terminal_suite.bench import machine
from web_terminal_suite.bench.machine import (
    MachineLimits,
    MachineSnapshot,
    ProcessSpread,
    SessionCapacity,
    between,
    feasible,
    read_limits,
    snapshot,
)
from web_terminal_suite.bench.machine.facts import ClockFacts

PLENTY = 10**9


def limits(**changes: Any) -> MachineLimits:
    """A machine on which nothing binds."""
    plenty: dict[str, Any] = dict.fromkeys(MachineLimits.__struct_fields__, PLENTY)
    plenty |= {"files_open": 0, "pty_open": 0, "pty_reserve": 1024, "pty_reserve_ours": True, "processes": 0}
    plenty |= {"cgroup_pids": 0, "cgroup_pids_file": "/cgroup/pids.max", "processes_of_user": 0, "port_low": 1}
    plenty |= {"memory_available": 10**15, "cgroup_memory_free": None}
    return MachineLimits(**(plenty | changes))


def quiet(**changes: Any) -> MachineSnapshot:
    """A machine that gives no reason to warn."""
    facts: dict[str, Any] = {
        "taken": "2026-01-01T00:00:00Z",
        "hostname": "machine",
        "system": "Linux",
        "kernel": "6.1",
        "distribution": "some",
        "python": "CPython 3.11",
        "packages": {},
        "cpu_model": "some",
        "cpu_count": 4,
        "cpus_usable": 4,
        "governors": ["performance"],
        "turbo": False,
        "virtualisation": "none seen",
        "clock": ClockFacts(resolution_ns=1, cost_ns=50, source="tsc"),
        "memory_total": 10**10,
        "memory_available": 10**10,
        "swap_used": 0,
        "swapped_pages": 5,
        "load": [0.1, 0.1, 0.1],
        "cpu_ticks": 1000,
        "steal_ticks": 10,
    }
    return MachineSnapshot(**(facts | changes))


TWENTY = {"nofile_soft": 20_000, "nofile_hard": 20_000}


@pytest.mark.parametrize(
    ("change", "spread", "sessions", "binding"),
    [
        (TWENTY, ProcessSpread(), (20_000 - 64) // 2, "descriptors (worker)"),
        (TWENTY, ProcessSpread(workers=3, clients=2), (20_000 - 64) // 2 * 3, "descriptors (worker)"),
        (TWENTY, ProcessSpread(workers=64, clients=64), (20_000 - 64) * 64 // 65 * 16, "descriptors (host)"),
        (TWENTY | {"nofile_soft": 1024}, ProcessSpread(), 1024 - 64, "descriptors (client)"),
        ({"file_max": 40_100, "files_open": 100}, ProcessSpread(), 10_000, "fs.file-max"),
        ({"pty_max": 4096, "pty_open": 5}, ProcessSpread(), 4090, "kernel.pty.max"),
        ({"pty_max": 4096, "pty_reserve_ours": False}, ProcessSpread(), 3071, "kernel.pty.max"),
        ({"pid_max": 32_768, "processes": 100}, ProcessSpread(), 32_768 - 164, "kernel.pid_max"),
        ({"threads_max": 10_000}, ProcessSpread(), 10_000 - 64, "kernel.threads-max"),
        ({"cgroup_pids_max": 5_000, "cgroup_pids": 36}, ProcessSpread(), 4_900, "cgroup pids.max"),
        ({"nproc_soft": 5_000, "processes_of_user": 36}, ProcessSpread(), 4_900, "ulimit -u"),
        ({"port_low": 32_768, "port_high": 60_999}, ProcessSpread(), 28_232, "net.ipv4.ip_local_port_range"),
        ({"port_low": 32_768, "port_high": 60_999}, ProcessSpread(addresses=3), 84_696, "net.ipv4.ip_local_port_range"),
        ({"memory_available": 4_012_000_000}, ProcessSpread(), 10_000, "memory"),
        ({"cgroup_memory_free": 4_012_000_000}, ProcessSpread(), 10_000, "memory"),
        ({"memory_available": 1}, ProcessSpread(), 0, "memory"),
    ],
)
def test_the_smallest_limit_binds(change: dict[str, Any], spread: ProcessSpread, sessions: int, binding: str) -> None:
    found = feasible(limits(**change), spread, 1000)
    assert (found.sessions, found.binding.name) == (sessions, binding)
    assert found.enough == (sessions >= 1000)


def test_what_is_unknown_binds_nothing() -> None:
    unknown = dict.fromkeys(
        ("nofile_soft", "file_max", "pty_max", "pid_max", "threads_max", "cgroup_pids_max", "nproc_soft", "port_low")
    )
    found = feasible(limits(**unknown, memory_available=4_012_000_000), ProcessSpread(), 1000)
    assert [each.name for each in found.allowances] == ["memory", "net.core.somaxconn"]


LIMITED = {
    "nofile_soft": (r"ulimit -n (\d+)", "nofile_soft"),
    "file_max": (r"fs\.file-max=(\d+)", "file_max"),
    "pty_max": (r"kernel\.pty\.max=(\d+)", "pty_max"),
    "pid_max": (r"kernel\.pid_max=(\d+)", "pid_max"),
    "threads_max": (r"kernel\.threads-max=(\d+)", "threads_max"),
    "cgroup_pids_max": (r"echo (\d+) > /cgroup/pids.max", "cgroup_pids_max"),
    "nproc_soft": (r"ulimit -u (\d+)", "nproc_soft"),
}


@given(
    st.sampled_from(sorted(LIMITED)),
    st.integers(100, 5_000),
    st.integers(5_001, 60_000),
    st.booleans(),
    st.integers(0, 2_000),
)
def test_the_remedy_suffices_and_is_the_least(name: str, value: int, wanted: int, ours: bool, used: int) -> None:
    """Carrying out what the doctor says, and nothing more, makes the wanted number feasible."""
    pattern, changed = LIMITED[name]
    busy = {
        "files_open": used,
        "pty_open": used,
        "processes": used,
        "cgroup_pids": used,
        "processes_of_user": used,
        "pty_reserve_ours": ours,
    }
    before = feasible(limits(**busy, **{name: value}), ProcessSpread(), wanted)
    assert not before.enough
    numbers = [int(n) for each in before.allowances for n in re.findall(pattern, each.remedy)]
    assert feasible(limits(**busy, **{changed: max(numbers)}), ProcessSpread(), wanted).enough
    assert not feasible(limits(**busy, **{changed: max(numbers) - 1}), ProcessSpread(), wanted).enough


def remedy(name: str, found: machine.Feasible) -> str:
    (row,) = [each for each in found.allowances if each.name == name]
    return row.remedy


def test_descriptors_above_the_hard_limits_need_root() -> None:
    tight = limits(nofile_soft=1024, nofile_hard=20_000, nr_open=1_048_576)
    within = feasible(tight, ProcessSpread(), 5_000)
    assert remedy("descriptors (worker)", within) == ""  # it raises its own, up to the hard limit
    assert remedy("descriptors (client)", within) == "ulimit -n 5064, or --clients 6"
    above = feasible(tight, ProcessSpread(), 30_000)
    assert remedy("descriptors (worker)", above).startswith(
        "ulimit -Hn 60064 && ulimit -n 60064 (as root; the hard limit is 20000)"
    )
    beyond = feasible(tight, ProcessSpread(), 600_000)
    assert remedy("descriptors (worker)", beyond).startswith("sysctl -w fs.nr_open=1200064 && ")


@given(st.integers(200, 30_000), st.integers(1_000, 100_000))
def test_so_many_workers_do_suffice(nofile: int, wanted: int) -> None:
    text = remedy(
        "descriptors (worker)", feasible(limits(nofile_soft=nofile, nofile_hard=nofile), ProcessSpread(), wanted)
    )
    if not text:
        return
    workers = int(text.rsplit("--workers ", 1)[1])
    enough, fewer = (
        next(
            each.sessions
            for each in feasible(
                limits(nofile_soft=nofile, nofile_hard=nofile), ProcessSpread(workers=n), wanted
            ).allowances
            if each.name == "descriptors (worker)"
        )
        for n in (workers, max(1, workers - 1))
    )
    assert enough is not None
    assert fewer is not None
    assert fewer < wanted <= enough


def test_ports_are_widened_or_more_addresses_dial() -> None:
    narrow = limits(port_low=32_768, port_high=60_999)
    assert remedy("net.ipv4.ip_local_port_range", feasible(narrow, ProcessSpread(), 28_232)) == ""
    assert remedy("net.ipv4.ip_local_port_range", feasible(narrow, ProcessSpread(), 50_000)) == (
        'sysctl -w net.ipv4.ip_local_port_range="15535 65535", '
        "or dial from 2 source addresses (127.0.0.1, 127.0.0.2, ...)"
    )
    assert remedy("net.ipv4.ip_local_port_range", feasible(narrow, ProcessSpread(), 100_000)) == (
        "dial from 4 source addresses (127.0.0.1, 127.0.0.2, ...)"
    )


def test_the_accept_queue_is_told_and_never_binds() -> None:
    found = feasible(limits(somaxconn=1), ProcessSpread(), 1000)
    assert found.enough
    assert found.allowances[-1] == SessionCapacity(
        name="net.core.somaxconn", value=1, sessions=None, cost="bounds a burst of connections, not sessions"
    )


def test_a_spread_over_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="workers is 0"):
        ProcessSpread(workers=0)


# The real machine


def test_limits_are_those_of_this_process() -> None:
    found = read_limits()
    assert (found.nofile_soft, found.nofile_hard) == resource.getrlimit(resource.RLIMIT_NOFILE)
    assert found.pid_max == int(Path("/proc/sys/kernel/pid_max").read_text())
    assert found.processes >= found.processes_of_user >= 1
    assert found.memory_available > 0
    assert (found.nproc_soft is None) or os.geteuid() != 0
    assert feasible(found, ProcessSpread(), 1).sessions > 0


def test_a_new_terminal_is_counted() -> None:
    before = read_limits()
    master, slave = os.openpty()
    try:
        assert read_limits().pty_open >= 1
    finally:
        os.close(master)
        os.close(slave)
    assert before.pty_max == read_limits().pty_max


def test_the_snapshot_is_of_this_machine() -> None:
    now = snapshot()
    assert now.cpu_count == os.cpu_count()
    assert now.cpus_usable == len(os.sched_getaffinity(0))
    assert now.packages["numpy"]
    assert 0 < now.memory_available <= now.memory_total
    assert now.clock.cost_ns > 0
    assert now.cpu_ticks > now.steal_ticks >= 0
    later = snapshot()
    assert later.cpu_ticks >= now.cpu_ticks


def test_the_record_of_a_machine_is_plain() -> None:
    kept = machine.record(quiet(), quiet(load=[9.0, 1.0, 1.0]))
    assert msgspec.json.decode(msgspec.json.encode(kept)) == kept
    assert kept["warnings"] == []
    assert machine.record(quiet())["after"] is None
    loaded = machine.record(quiet(load=[9.0, 1.0, 1.0]))["warnings"]
    assert [sorted(each) for each in loaded] == [["kind", "matters", "remedy", "seen"]]


@pytest.mark.parametrize(
    ("kind", "change", "seen"),
    [
        ("governor", {"governors": ["performance", "powersave"]}, "frequency governor powersave"),
        ("load", {"load": [2.1, 0, 0]}, "load average 2.10 on 4 processors"),
        ("swap", {"swap_used": 5_000_000}, "5 MB of swap in use"),
        ("clock", {"clock": ClockFacts(resolution_ns=1, cost_ns=1_500, source="hpet")}, "1,500 ns (source hpet)"),
        ("processors", {"cpus_usable": 1}, "1 usable processor"),
    ],
)
def test_a_warning_says_what_was_seen_and_what_to_do(kind: str, change: dict[str, Any], seen: str) -> None:
    (caution,) = between(quiet(**change))
    assert caution.kind == kind
    assert seen in caution.seen
    assert caution.matters
    assert caution.remedy


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({"cpu_ticks": 2_000, "steal_ticks": 20}, []),
        ({"cpu_ticks": 2_000, "steal_ticks": 21}, ["steal"]),
        # 199 ticks are too few to speak of a share.
        ({"cpu_ticks": 1_199, "steal_ticks": 100}, []),
        ({"swapped_pages": 6}, ["swapping"]),
    ],
)
def test_what_grew_during_the_run(change: dict[str, Any], kinds: list[str]) -> None:
    assert [caution.kind for caution in between(quiet(), quiet(**change))] == kinds


def test_a_quiet_machine_gives_no_warning() -> None:
    assert between(quiet(), quiet(cpu_ticks=9_000)) == ()
