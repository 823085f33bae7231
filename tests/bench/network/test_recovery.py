"""Whether the measurement before a run finds what was set, and what was not."""

from __future__ import annotations

import pytest

from web_terminal_suite.bench.network.conditions import MS, Network, NetworkConditions, parse
from web_terminal_suite.bench.network.dialled import dialled
from web_terminal_suite.bench.network.recovery import (
    Exchanges,
    Recovery,
    echo_server,
    exchange_faults,
    exchange_through,
    rate_fault,
    recover,
)


async def test_a_set_network_is_recovered_and_its_own_cost_is_stated() -> None:
    network = parse("rtt=30ms,jitter=4ms,loss=3%,rate=20Mbit")
    found = await recover(network, 11)
    facts = found.facts()
    assert abs(facts["undisturbed_ns"] - 30 * MS) <= MS
    assert facts["loss"][0] <= 0.03 <= facts["loss"][1]
    assert facts["rate_bits"] == pytest.approx(20_000_000, rel=0.05)
    assert facts["direct_ns"] > 0
    assert facts["conditions"] == "rtt=30ms,jitter=4ms,loss=3%,rate=20Mbit"
    assert found.summary().startswith("network rtt=30ms,jitter=4ms,loss=3%,rate=20Mbit: a round trip takes ")


@pytest.mark.parametrize(
    ("made", "set_to", "words"),
    [
        ("rtt=24ms", "rtt=20ms", "ms where 20 were set (at most 1 ms apart)"),
        ("rtt=20ms", "rtt=24ms", "ms where 24 were set (at most 1 ms apart)"),
        ("rtt=5ms", "rtt=5ms,loss=5%", "0 of 100 exchanges had a loss"),
        ("rtt=5ms,loss=40%", "rtt=5ms,loss=10%", "of segments are lost where 10.00% were set"),
    ],
)
async def test_a_network_that_does_something_else_is_told(made: str, set_to: str, words: str) -> None:
    conditions = parse(set_to).conditions
    async with echo_server() as echo, dialled(echo, conditions=parse(made).conditions, seed=3) as (address,):
        found = await exchange_through(address, conditions, 3)
    assert words in "; ".join(exchange_faults(found, conditions))


def test_a_rate_is_told_from_another() -> None:
    conditions = NetworkConditions(rate_bits=10_000_000)
    assert rate_fault(9_600_000, conditions) == []
    assert rate_fault(9_000_000, conditions) == ["9 Mbit/s came through where 10 were set (at most 5% apart)"]


def test_what_the_machine_adds_is_a_warning_and_no_fault() -> None:
    conditions = NetworkConditions(rtt_ns=20 * MS)
    found = Exchanges(20 * MS + MS // 2, 23 * MS, 64, 0)
    assert exchange_faults(found, conditions) == []
    recovery = Recovery(Network(conditions), 20_000, 60_000, found, 0, 1)
    (warning,) = recovery.warnings()
    assert warning["seen"] == "the machine made a round trip 3.00 ms longer than was set, at the median"
