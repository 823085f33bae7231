"""What a network does to what it carries, as frozen values; read from text such as ``rtt=100ms,loss=1%``.

Pure: what follows from the conditions for a segment is in ``link``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Final, NamedTuple

from web_terminal_suite.bench.errors import OptionsError

MS: Final = 1_000_000
"""Nanoseconds."""

_SECOND_NS: Final = 1_000_000_000
_LONGEST_NS: Final = 10 * _SECOND_NS
_MOST_LOSS: Final = 0.5
_RATES: Final = (8_000, 1_000_000_000)
_NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)([A-Za-z%/]*)")
_TIMES: Final = {"us": 1_000, "ms": MS, "s": _SECOND_NS}
# As tc(8) writes them: bits a second, with SI prefixes.
_BITS: Final = {"bit": 1, "kbit": 1_000, "mbit": 1_000_000, "gbit": 1_000_000_000}


@dataclass(frozen=True)
class NetworkConditions:
    """A network; all zero for one that changes nothing.

    Raises:
        OptionsError: a value is out of its range.
    """

    rtt_ns: int = 0
    """Of a round trip: half of it each way."""
    jitter_ns: int = 0
    """A round trip takes up to this much more or less."""
    loss: float = 0.0
    """Probability that a segment is lost, each way."""
    rate_bits: int = 0
    """Bits a second, each way of each connection; 0 for no limit."""

    def __post_init__(self) -> None:
        if not 0 <= self.rtt_ns <= _LONGEST_NS:
            raise OptionsError(f"rtt is {_time(self.rtt_ns)}; it must be from 0 to {_time(_LONGEST_NS)}")
        if not 0 <= self.jitter_ns <= self.rtt_ns:
            raise OptionsError(
                f"jitter is {_time(self.jitter_ns)} and rtt {_time(self.rtt_ns)}; jitter must not be more than rtt"
            )
        if not 0 <= self.loss <= _MOST_LOSS:
            raise OptionsError(f"loss is {_share(self.loss)}; it must be from 0 to {_share(_MOST_LOSS)}")
        if self.rate_bits and not _RATES[0] <= self.rate_bits <= _RATES[1]:
            raise OptionsError(
                f"rate is {_bits(self.rate_bits)}; it must be from {_bits(_RATES[0])} to {_bits(_RATES[1])}"
            )

    @property
    def is_clear(self) -> bool:
        """Whether it changes nothing."""
        return self == NetworkConditions()

    def __str__(self) -> str:
        """What ``parse`` reads."""
        parts = (
            (self.rtt_ns, f"rtt={_time(self.rtt_ns)}"),
            (self.jitter_ns, f"jitter={_time(self.jitter_ns)}"),
            (self.loss, f"loss={_share(self.loss)}"),
            (self.rate_bits, f"rate={_bits(self.rate_bits)}"),
        )
        return ",".join(text for value, text in parts if value) or "rtt=0ms"


class NetworkProfile(NamedTuple):
    """A named network, and whose figures it has."""

    conditions: NetworkConditions
    source: str


PROFILES: Final = {
    "home": NetworkProfile(
        NetworkConditions(rtt_ns=28 * MS, rate_bits=5_000_000),
        "WebPageTest, connectivity profile Cable: 5 Mbit/s down, 28 ms",
    ),
    "mobile": NetworkProfile(
        NetworkConditions(rtt_ns=150 * MS, rate_bits=1_600_000),
        "Lighthouse, default throttling (slow 4G): 1.6 Mbit/s down, 150 ms; the slowest quarter of 4G connections",
    ),
    "transatlantic": NetworkProfile(
        NetworkConditions(rtt_ns=90 * MS),
        "Verizon, service level between London and New York: a monthly average of 90 ms at most",
    ),
    "hotel": NetworkProfile(
        NetworkConditions(rtt_ns=70 * MS, loss=0.02, rate_bits=2_000_000),
        "comcast (github.com/tylertreat/comcast), profile DSL (poor): 2 Mbit/s, 70 ms, 2 % loss",
    ),
}
"""By name. Where a source has one rate for each way, the one towards the client holds for both."""


@dataclass(frozen=True)
class Network:
    """A network as it was asked for: its conditions, and the name of its profile where it has one."""

    conditions: NetworkConditions
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.conditions})" if self.name else str(self.conditions)


def parse(text: str) -> Network:
    """The network that ``text`` names: a profile, values such as ``rtt=100ms,loss=1%``, or both: ``home,loss=1%``.

    Raises:
        OptionsError: the text names the value, what is accepted, and the remedy.
    """
    first, *others = [part.strip() for part in text.split(",")]
    profile = PROFILES.get(first)
    if profile is None and "=" not in first:
        raise OptionsError(
            f"there is no network {first!r}; name {', '.join(PROFILES)}, or write it as rtt=100ms,jitter=10ms,"
            "loss=1%,rate=10Mbit"
        )
    values = others if profile else [first, *others]
    given: dict[str, int | float] = {}
    for part in values:
        name, equals, value = part.partition("=")
        if not equals or name not in _READERS:
            raise OptionsError(f"{part!r} is no value of a network; there are: {', '.join(_READERS)}")
        if name in given:
            raise OptionsError(f"{name} is given twice; give it once")
        given[name] = _READERS[name](name, value)
    named = {_FIELDS[name]: value for name, value in given.items()}
    base = profile.conditions if profile else NetworkConditions()
    found = replace(base, **named)  # type: ignore[arg-type]  # each reader gives the type of its field
    if found.is_clear:
        raise OptionsError(f"{text!r} is a network that changes nothing; leave it out")
    return Network(found, first if profile and found == base else "")


def _read_time(name: str, text: str) -> int:
    number, unit = _split(name, text, "a time with its unit, such as 100ms, 1.5s or 500us")
    if unit not in _TIMES:
        raise OptionsError(f"{name}={text}: write a time with its unit, such as 100ms, 1.5s or 500us")
    return round(number * _TIMES[unit])


def _read_share(name: str, text: str) -> float:
    number, unit = _split(name, text, "a share such as 1% or 0.01")
    if unit not in ("", "%"):
        raise OptionsError(f"{name}={text}: write a share such as 1% or 0.01")
    return number / 100 if unit else number


def _read_rate(name: str, text: str) -> int:
    number, unit = _split(name, text, "bits a second, such as 10Mbit or 500kbit")
    if unit.lower().removesuffix("/s") not in _BITS:
        raise OptionsError(f"{name}={text}: write bits a second, such as 10Mbit or 500kbit")
    bits = round(number * _BITS[unit.lower().removesuffix("/s")])
    if not bits:
        raise OptionsError(f"{name}={text}: nothing would ever arrive; leave {name} out for no limit")
    return bits


_READERS: Final = {"rtt": _read_time, "jitter": _read_time, "loss": _read_share, "rate": _read_rate}
_FIELDS: Final = dict(zip(_READERS, (each.name for each in fields(NetworkConditions)), strict=True))


def _split(name: str, text: str, accepted: str) -> tuple[float, str]:
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise OptionsError(f"{name}={text}: write {accepted}")
    return float(found[1]), found[2]


def _time(ns: int) -> str:
    return f"{ns / _SECOND_NS:g}s" if ns and ns % _SECOND_NS == 0 else f"{ns / MS:g}ms"


def _share(share: float) -> str:
    return f"{share * 100:g}%"


def _bits(rate: int) -> str:
    for unit, bits in (("Gbit", 1_000_000_000), ("Mbit", 1_000_000), ("kbit", 1_000)):
        if rate >= bits:
            return f"{rate / bits:g}{unit}"
    return f"{rate}bit"
