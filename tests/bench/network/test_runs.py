"""A run through a network: what is measured, what the record keeps, and what it is not compared with."""

from __future__ import annotations

import msgspec
import pytest

from tests.bench.records import facts, samples, trial
from tests.bench.records import run as made
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.analysis.comparison.machine import differences, fingerprint
from web_terminal_suite.bench.baselines import Baselines
from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.network.conditions import MS, parse
from web_terminal_suite.bench.network.terminal import Distant
from web_terminal_suite.bench.pipeline.bench import plan, run
from web_terminal_suite.bench.pipeline.comparison import compare
from web_terminal_suite.bench.pipeline.load_plan import plan_load
from web_terminal_suite.bench.pipeline.options import BenchOptions, LoadOptions
from web_terminal_suite.bench.report.common import environment, run_facts
from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.raw_pty import RawPty
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal


async def test_a_terminal_behind_a_network_is_reached_through_it_alone() -> None:
    terminal = Distant(NullServer(), parse("rtt=40ms").conditions, 1)
    assert (terminal.name, terminal.role) == ("null-server", "floor")
    async with terminal.launch() as running:
        assert running.terminal is terminal
        assert running.without_network.addresses == running.direct != running.addresses
        assert running.timeout > 10
        async with running.connect() as connection:
            sent_ns, reply = await connection.echo(b"x")
            assert reply.seen_ns - sent_ns >= 40 * MS
        async with running.without_network.connect() as connection:
            await connection.echo(b"x")


def test_a_terminal_behind_a_network_has_the_page_that_it_has() -> None:
    assert Distant(WebTerminal(), parse("rtt=40ms").conditions, 1).page == "web-terminal"


async def test_a_terminal_that_nobody_dials_stays_as_it_is() -> None:
    async with Distant(RawPty(), parse("rtt=40ms").conditions, 1).launch() as running:
        assert running.addresses == ()


def test_a_run_keeps_the_network_and_what_was_measured_of_it() -> None:
    options = BenchOptions(
        filters=("floors/null_server/echo",), network="rtt=30ms", quick=True, seed=5, measurement_seconds=0.2
    )
    planned = plan(options)
    found = run(planned)
    network = found.machine["network"]
    assert network["conditions"] == "rtt=30ms"
    assert network["median_ns"] >= 30 * MS
    assert all(not metric.targets and not metric.floor_targets for each in found.benchmarks for metric in each.metrics)
    through = [
        each.seen_ns - each.sent_ns
        for trial in found.trials
        if trial.cell.terminal == "null-server"
        for each in trial.samples
    ]
    assert through
    assert min(through) >= 30 * MS
    known = [each for trial in found.trials if trial.cell.terminal == "known" for each in trial.samples]
    assert min(each.seen_ns - each.sent_ns for each in known) < 30 * MS  # the proof of the client is without it
    assert "rtt=30ms; measured: a round trip of " in environment.network(found.machine)


def through(conditions: str, name: str = ""):
    """A record of a run through a network; without conditions of a run without."""
    before = {
        "cpu_model": "x",
        "cpu_count": 2,
        "cpus_usable": 2,
        "memory_total": 10**10,
        "kernel": "6.1",
        "python": "3",
    }
    machine: dict = {"before": before}
    if conditions:
        machine["network"] = {"conditions": conditions, "name": name}
    latencies = [MS + number for number in range(100)]
    found = made(*(trial(samples(latencies), block=number) for number in range(5)), benchmarks=[facts()])
    return msgspec.structs.replace(found, machine=machine)


def test_runs_through_different_networks_are_not_compared() -> None:
    without, home, far = through(""), through("rtt=28ms,rate=5Mbit", "home"), through("rtt=90ms")
    assert differences(without.machine, through("").machine) == ()
    assert differences(without.machine, home.machine) == ("the network was none, is rtt=28ms,rate=5Mbit",)
    assert len({fingerprint(each.machine) for each in (without, home, far)}) == 3
    with pytest.raises(OptionsError, match="the network was rtt=90ms, is rtt=28ms,rate=5Mbit"):
        compare(("before", far), ("after", home))
    (compared,) = compare(("before", far), ("after", home), force=True)
    assert compared.machine == ("the network was rtt=90ms, is rtt=28ms,rate=5Mbit",)


def test_a_run_through_a_network_does_not_replace_the_last_one_without(tmp_path) -> None:
    kept = Baselines(tmp_path)
    kept.save("base", through(""), [])
    assert kept.not_covered("base", through("rtt=90ms")) == "this run's network is rtt=90ms and the last one's none"


def test_a_report_names_the_network() -> None:
    found = through("rtt=28ms,rate=5Mbit", "home")
    assert ("Network", "home (rtt=28ms,rate=5Mbit)") in run_facts.facts(found, analyse(found))
    assert environment.network(through("").machine) == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"network": "rtt=1"}, "--network: rtt=1: write a time with its unit"),
        ({"network": "home", "urls": ("https://example.org/#token=x",)}, "https://example.org:443/ cannot be reached"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_measured(options: dict, words: str) -> None:
    with pytest.raises(OptionsError) as refused:
        plan(BenchOptions(filters=("keystroke_echo",), **options))
    assert words in str(refused.value)


def test_a_load_takes_a_network_but_not_on_other_machines() -> None:
    test = plan_load(LoadOptions(sessions=2, network="hotel", terminal="null-server", typing=0, duration=1))
    assert str(test.network) == "hotel (rtt=70ms,loss=2%,rate=2Mbit)"
    with pytest.raises(OptionsError, match="which clients of --scheduler do not reach"):
        plan_load(LoadOptions(network="hotel", scheduler="tcp://127.0.0.1:1"))
