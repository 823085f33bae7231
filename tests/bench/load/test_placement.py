"""Load generators and addresses of a load, and the errors when this machine cannot hold it."""

from __future__ import annotations

import ipaddress

import msgspec
import pytest

from web_terminal_suite.bench.load import placement
from web_terminal_suite.bench.load.scenario import LoadStage, Role, Scenario, parse_share
from web_terminal_suite.bench.machine.limits import MachineLimits, ProcessSpread

ROOMY = MachineLimits(
    nofile_soft=20_000, nofile_hard=20_000, nr_open=1_048_576, file_max=10**7, files_open=1_000, pty_max=100_000,
    pty_open=10, pty_reserve=0, pty_reserve_ours=True, pid_max=4_194_304, threads_max=10**6, processes=200,
    cgroup_pids_max=None, cgroup_pids=0, cgroup_pids_file="", nproc_soft=None, processes_of_user=100, port_low=32_768,
    port_high=60_999, somaxconn=4096, memory_available=64 * 10**9, cgroup_memory_free=None,
)  # fmt: skip


def scenario(**fields) -> Scenario:
    mix = {Role.TYPE: parse_share("50%")} | fields.pop("mix", {})
    return Scenario(stage=(LoadStage(**fields, mix=mix),))


@pytest.mark.parametrize(
    ("fields", "clients"),
    [
        ({"sessions": 10}, 1),
        ({"sessions": 100, "typing": 10_000}, 3),
        ({"sessions": 100, "ramp": 1_000}, 3),
        ({"sessions": 10, "mix": {Role.FLOOD: parse_share(4)}}, 2),
        ({"sessions": 10, "typing": 10**6}, 8),
        ({"sessions": 20_000}, 2),
        ({"sessions": 50_000}, 3),
    ],
)
def test_generators_follow_from_descriptors_and_processor_time(fields, clients):
    assert placement.generators_needed(scenario(**fields), 8, ROOMY) == clients


def test_more_processes_than_processors_only_for_descriptors():
    assert placement.generators_needed(scenario(sessions=10, typing=10**6), 2, ROOMY) == 2
    few = msgspec.structs.replace(ROOMY, nofile_soft=1_024)
    assert placement.generators_needed(scenario(sessions=9_600), 2, few) == 10


@pytest.mark.parametrize(("sessions", "addresses"), [(1, 1), (13_000, 1), (14_000, 2), (50_000, 4), (100_000, 8)])
def test_addresses_follow_from_ports(sessions, addresses):
    assert placement.addresses_needed(sessions, ROOMY) == addresses


def test_addresses_are_loopback_and_no_two_alike():
    assert placement.loopback_addresses(1) == ()
    found = placement.loopback_addresses(600)
    assert found[:2] == ("127.0.0.1", "127.0.0.2")
    assert len(set(found)) == 600
    assert all(ipaddress.ip_address(each).is_loopback for each in found)


def test_sufficient_limits_have_no_shortage():
    processes = ProcessSpread(workers=6, clients=3, addresses=2)
    host = msgspec.structs.replace(ROOMY, nofile_soft=60_000)
    assert placement.shortages(host, processes, 50_000, with_shells=True) == []


def test_each_limit_that_is_too_low_comes_with_its_remedy():
    tight = msgspec.structs.replace(ROOMY, pty_max=4_096, port_low=60_000, port_high=60_999)
    rows = placement.shortages(tight, ProcessSpread(workers=1, clients=1), 5_000, with_shells=True)
    assert [row.name for row in rows] == ["net.ipv4.ip_local_port_range", "kernel.pty.max"]
    text = placement.describe(5_000, rows)
    assert text.startswith("5,000 sessions are not feasible here: net.ipv4.ip_local_port_range = 1,000 allows 1,000; ")
    assert "sysctl -w kernel.pty.max=5011" in text
    assert "doctor --sessions 5000 --fix" in text


def test_a_remote_terminal_has_its_own_limits():
    tight = msgspec.structs.replace(ROOMY, pty_max=10, pid_max=10, memory_available=0)
    assert placement.shortages(tight, ProcessSpread(), 1_000, with_shells=False) == []
    assert len(placement.shortages(tight, ProcessSpread(), 1_000, with_shells=True)) == 3


def test_a_generator_uses_no_more_descriptors_than_planned_whatever_the_limit():
    huge = msgspec.structs.replace(ROOMY, nofile_soft=10**6)
    (row,) = placement.shortages(huge, ProcessSpread(workers=9, clients=1, addresses=9), 30_000, with_shells=True)
    assert (row.name, row.value) == ("descriptors (client)", 20_000)
