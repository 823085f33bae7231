"""What a network is set to: read, shown and refused."""

from __future__ import annotations

import pytest

from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.network.conditions import MS, PROFILES, NetworkConditions, parse


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("rtt=100ms", NetworkConditions(rtt_ns=100 * MS)),
        ("rtt=1.5s,jitter=500us", NetworkConditions(rtt_ns=1500 * MS, jitter_ns=MS // 2)),
        ("rtt=100ms, jitter=10ms, loss=1%, rate=10Mbit", NetworkConditions(100 * MS, 10 * MS, 0.01, 10_000_000)),
        ("loss=0.02", NetworkConditions(loss=0.02)),
        ("rate=500kbit/s", NetworkConditions(rate_bits=500_000)),
        ("home,loss=1%", NetworkConditions(rtt_ns=28 * MS, loss=0.01, rate_bits=5_000_000)),
    ],
)
def test_text_is_read_and_shown_so_that_it_is_read_again(text: str, conditions: NetworkConditions) -> None:
    found = parse(text)
    assert (found.conditions, found.name) == (conditions, "")
    assert parse(str(conditions)).conditions == conditions


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_has_a_name_and_a_source(name: str) -> None:
    found = parse(name)
    assert found.name == name
    assert str(found) == f"{name} ({PROFILES[name].conditions})"
    assert PROFILES[name].source


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hostel", "there is no network 'hostel'; name home, mobile, transatlantic, hotel, or write it as rtt=100ms"),
        ("rtt=100", "rtt=100: write a time with its unit, such as 100ms"),
        ("rtt=-1ms", "rtt=-1ms: write a time"),
        ("rtt=20s", "rtt is 20s; it must be from 0 to 10s"),
        ("rtt=10ms,jitter=20ms", "jitter is 20ms and rtt 10ms; jitter must not be more than rtt"),
        ("loss=60%", "loss is 60%; it must be from 0 to 50%"),
        ("loss=much", "loss=much: write a share such as 1% or 0.01"),
        ("loss=1ms", "loss=1ms: write a share such as 1% or 0.01"),
        ("rate=10", "rate=10: write bits a second, such as 10Mbit"),
        ("rate=0bit", "rate=0bit: nothing would ever arrive; leave rate out"),
        ("rate=1kbit", "rate is 1kbit; it must be from 8kbit to 1Gbit"),
        ("rtt=1ms,rtt=2ms", "rtt is given twice"),
        ("rtt=1ms,delay=2ms", "'delay=2ms' is no value of a network; there are: rtt, jitter, loss, rate"),
        ("home,", "'' is no value of a network"),
        ("rtt=0ms", "'rtt=0ms' is a network that changes nothing; leave it out"),
    ],
)
def test_what_cannot_be_is_refused_with_value_limit_and_remedy(text: str, words: str) -> None:
    with pytest.raises(OptionsError) as refused:
        parse(text)
    assert words in str(refused.value)
