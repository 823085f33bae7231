"""Whether the suite's client can be believed: what it measured next to what an independent client measured.

Both clients make the same exchanges with the reference server, one after the other in pairs, and the server says when
each request came and when its answer went. So every exchange has an *overhead*, what was measured less what the server
waited, and every pair a *difference* of two overheads. Other work on the machine falls on both clients alike and makes
differences vary; an error of the suite's client moves them all to one side.

Pure: judges samples, and runs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from web_terminal_suite.bench.samples import Outcome, Sample
from web_terminal_suite.bench.stats import quantiles
from web_terminal_suite.bench.stats.series import Series
from web_terminal_suite.bench.terminals.delays import CLIENT_MARKS, INDEPENDENT_MARKS, DelayKind, delays_ns, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

TOLERANCE_NS: Final = 100_000
"""How far the median difference may lie from zero. An event loop costs some 0.02 ms more than a blocking socket."""

LATE_NS: Final = 500_000
LATE_SHARE: Final = 0.025
"""Half of what is above a 95th percentile: the client may be this late, alone, in no larger share of all pairs."""

ATTEMPTS: Final = 3

# Of the median difference. Many are looked at in every run, and none may stop an honest one.
_LEVEL: Final = 0.999
# The clock is one, so no stamp may be out of order at all; a few microseconds for processors that disagree on it.
_DISORDER_NS: Final = 10_000
# Overheads of the independent client are 0.03 ms at rest.
_HELD_UP_NS: Final = 1_000_000
# Most of the time both clients wait for a delay, so at rest the processors are idle for more than half of it.
_LEAST_IDLE: Final = 0.1


class Proof(Protocol):
    """What a run keeps of how its own measuring was proven."""

    def facts(self) -> dict[str, Any]:
        """For the record, as plain values."""

    def warnings(self) -> list[dict[str, str]]:
        """What a reader must know, as the machine's warnings say it."""


class CalibrationFailed(Exception):
    """The client measures something else than what happens; the text says what."""


class Exchange(NamedTuple):
    """One request and its answer, in ns of the one clock: stamps of a client around those of the server."""

    sent_ns: int
    came_ns: int
    answered_ns: int
    seen_ns: int

    @property
    def measured_ns(self) -> int:
        return self.seen_ns - self.sent_ns

    @property
    def delayed_ns(self) -> int:
        return self.answered_ns - self.came_ns

    @property
    def overhead_ns(self) -> int:
        return self.measured_ns - self.delayed_ns


class PairedExchange(NamedTuple):
    """The same exchange by the suite's client and by the independent one."""

    set_ns: int
    client: Exchange
    independent: Exchange

    @property
    def difference_ns(self) -> int:
        return self.client.overhead_ns - self.independent.overhead_ns


class Agreement(StrEnum):
    """Of the two clients, as far as figures show it."""

    HOLDS = "holds"
    UNCLEAR = "unclear"
    """The machine made the figures vary by too much to tell."""
    BROKEN = "broken"


class Difference(NamedTuple):
    """The median difference of the pairs of one kind of delay, with its 99.9 % interval; ns."""

    kind: DelayKind
    median_ns: float
    lower_ns: float
    upper_ns: float

    @property
    def agreement(self) -> Agreement:
        if self.lower_ns > TOLERANCE_NS or self.upper_ns < -TOLERANCE_NS:
            return Agreement.BROKEN
        inside = self.lower_ns >= -TOLERANCE_NS and self.upper_ns <= TOLERANCE_NS
        return Agreement.HOLDS if inside else Agreement.UNCLEAR

    def __str__(self) -> str:
        return f"{_signed(self.median_ns)} ms ({_signed(self.lower_ns)} … {_signed(self.upper_ns)}) {self.kind}"


class Tail(NamedTuple):
    """Pairs in which one client alone was late by ``LATE_NS`` more than the other."""

    pairs: int
    client: int
    independent: int

    @property
    def agreement(self) -> Agreement:
        excess = (self.client - self.independent) / self.pairs
        chance = _at_least(self.client, self.client + self.independent)
        return Agreement.BROKEN if excess > LATE_SHARE and chance < 1 - _LEVEL else Agreement.HOLDS

    def __str__(self) -> str:
        return (
            f"{self.client} of {self.pairs} exchanges {LATE_NS / 1e6:g} ms longer and {self.independent} as much "
            "shorter"
        )


@dataclass(frozen=True)
class Findings:
    """What some pairs show."""

    differences: tuple[Difference, ...]
    tail: Tail

    @property
    def agreement(self) -> Agreement:
        found = {self.tail.agreement, *(each.agreement for each in self.differences)}
        return next((each for each in (Agreement.BROKEN, Agreement.UNCLEAR) if each in found), Agreement.HOLDS)

    def against(self) -> str:
        """What does not hold, in words that follow "against an independent client"."""
        words = [str(each) for each in self.differences if each.agreement is not Agreement.HOLDS]
        return ", ".join(words if self.tail.agreement is Agreement.HOLDS else [*words, str(self.tail)])


def pairs(seed: int, samples: Sequence[Sample]) -> list[PairedExchange]:
    """The pairs of one trial, whose first sample had the first delay of the list.

    Raises:
        CalibrationFailed: stamps are out of order, or the server did not wait as long as it was told.
    """
    found = []
    for sample, set_ns in zip(samples, delays_ns(seed), strict=False):
        came_ns, answered_ns = (sample.marks[name] for name in CLIENT_MARKS)
        client = Exchange(sample.due_ns, came_ns, answered_ns, sample.seen_ns)
        independent = Exchange._make(sample.marks[name] for name in INDEPENDENT_MARKS)
        for exchange in (client, independent):
            if exchange.delayed_ns < set_ns:
                raise CalibrationFailed(
                    f"the reference server answered after {exchange.delayed_ns} ns, set were {set_ns} ns"
                )
        before_ns, after_ns = client.came_ns - client.sent_ns, client.seen_ns - client.answered_ns
        if min(before_ns, after_ns) < -_DISORDER_NS:
            what = "sent after the server had it" if before_ns < after_ns else "seen before the server gave it"
            raise CalibrationFailed(
                f"by the client's stamps an exchange was {what}, by {-min(before_ns, after_ns) / 1e6:.3f} ms"
            )
        found.append(PairedExchange(set_ns, client, independent))
    return found


def judge(measured: Sequence[PairedExchange]) -> Findings:
    """How the client's figures differ from the independent client's; at least one pair."""
    differences = []
    for kind in DelayKind:
        series = [pair.difference_ns for pair in measured if kind_of(pair.set_ns) is kind]
        if series:
            differences.append(Difference(kind, quantiles.nearest_rank(series, 0.5), *_interval(series)))
    apart = [pair.difference_ns for pair in measured]
    late, early = (sum(sign * each > LATE_NS for each in apart) for sign in (1, -1))
    return Findings(tuple(differences), Tail(len(apart), late, early))


def check_percentiles(values: Sequence[int]) -> None:
    """Compare the suite's percentiles of ``values`` with their definition, to the nanosecond.

    Raises:
        CalibrationFailed: one differs, such as by a rank.
    """
    ordered, series = sorted(values), Series(values)
    for name, q in quantiles.PERCENTILES.items():
        share = Fraction(str(q)) * len(ordered)
        truth = next(each for place, each in enumerate(ordered, 1) if place >= share)
        for found in (quantiles.quantile(series, q), quantiles.nearest_rank(values, q)):
            if found != truth:
                raise CalibrationFailed(f"the suite's {name} of {len(ordered)} values is {found:.0f}, not {truth}")


@dataclass
class _Attempts:
    """One way of exchanging (echo, command): what it has so far."""

    measured: list[PairedExchange] = field(default_factory=list)
    attempts: int = 0
    recorded: int = 0
    answered: int = 0
    broken: list[str] = field(default_factory=list)
    """What each attempt that was broken showed."""
    findings: Findings | None = None
    proven: bool = False


class Calibration:
    """The attempts of one run to prove its client.

    A lost sample, stamps out of order or a wrong percentile end it at once. What only figures show must show twice,
    since the machine may do it once.
    """

    def __init__(self, seed: int, parameters: Sequence[str]) -> None:
        self._seed = seed
        self._by_parameter = {each: _Attempts() for each in parameters}
        self._unproven: list[str] = []
        """What earlier attempts lacked, in words."""
        self.idle_share = 1.0
        """Of all processors while it was measured."""

    @property
    def pending(self) -> tuple[str, ...]:
        """Parameters that are to be measured (again)."""
        return tuple(name for name, each in self._by_parameter.items() if not each.proven and each.attempts < ATTEMPTS)

    def take(self, parameter: str, samples: Sequence[Sample], answered: int) -> None:
        """One trial, and how many requests the reference server answered in it, those of both clients.

        Raises:
            CalibrationFailed
        """
        of = self._by_parameter[parameter]
        of.attempts += 1
        of.recorded += len(samples)
        of.answered += answered
        failed = [each.reason for each in samples if each.outcome is not Outcome.OK]
        if failed:
            self._unproven.append(f"attempt {of.attempts} by {parameter}: {failed[0]}")
            return
        if answered != 2 * len(samples):
            raise CalibrationFailed(
                f"by {parameter} the reference server answered {answered} requests of two clients, and "
                f"{len(samples)} of each are in the record"
            )
        new = pairs(self._seed, samples)
        check_percentiles([pair.client.measured_ns for pair in new])
        of.measured += new
        of.findings = judge(of.measured)
        # A busy machine hides a small error in one attempt more easily than in all of them together.
        this = next((each for each in (judge(new), of.findings) if each.agreement is Agreement.BROKEN), of.findings)
        if this.agreement is Agreement.BROKEN:
            of.broken.append(this.against())
            if len(of.broken) > 1:
                raise CalibrationFailed(
                    f"by {parameter} this client measured, against an independent one, {of.broken[0]}; and again "
                    f"{of.broken[1]}; it may differ by {TOLERANCE_NS / 1e6:g} ms"
                )
        of.proven = this.agreement is Agreement.HOLDS
        if not of.proven:
            self._unproven.append(
                f"attempt {of.attempts} by {parameter}, against an independent client: {this.against()}"
            )

    @property
    def attempts(self) -> int:
        return max((each.attempts for each in self._by_parameter.values()), default=0)

    def summary(self) -> str:
        """The outcome as one line."""
        figures = [
            f"by {name} {', '.join(f'{_signed(each.median_ns)} ms {each.kind}' for each in of.findings.differences)}"
            for name, of in self._by_parameter.items()
            if of.findings is not None
        ]
        return f"{self._tried()}: against an independent client {'; '.join(figures)}"

    def _tried(self) -> str:
        if all(each.proven for each in self._by_parameter.values()):
            return f"calibrated at attempt {self.attempts} of {ATTEMPTS}"
        return f"not calibrated in {self.attempts} attempts"

    def facts(self) -> dict[str, Any]:
        """What the record keeps of it, as plain values."""
        return {
            "attempts": self.attempts,
            "most_attempts": ATTEMPTS,
            "tolerance_ns": TOLERANCE_NS,
            "idle_share": self.idle_share,
            "unproven": list(self._unproven),
            "by": {name: _facts(each) for name, each in self._by_parameter.items()},
        }

    def warnings(self) -> list[dict[str, str]]:
        """What a reader must know, as the machine's warnings say it; nothing after a good first attempt at rest."""
        reasons = [f"{self._tried()}: {'; '.join(self._unproven)}"] if self._unproven else []
        for name, each in self._by_parameter.items():
            held_up_ns = _held_up_ns(each.measured)
            if held_up_ns > _HELD_UP_NS:
                reasons.append(f"the independent client was held up {held_up_ns / 1e6:.1f} ms at p95 by {name}")
        if self.idle_share < _LEAST_IDLE:
            reasons.append(f"the processors were idle for {self.idle_share:.0%} of the time")
        if not reasons:
            return []
        return [
            {
                "kind": "calibration",
                "seen": f"the calibration was disturbed by the machine: {'; '.join(reasons)}",
                "matters": "a client error below what varied would not be seen, and latencies vary likewise",
                "remedy": "stop other work and run again",
            }
        ]


def _facts(of: _Attempts) -> dict[str, Any]:
    differences = () if of.findings is None else of.findings.differences
    long = [pair for pair in of.measured if kind_of(pair.set_ns) is DelayKind.LONG]
    overhead_ns = quantiles.nearest_rank([pair.independent.overhead_ns for pair in long], 0.5) if long else 0
    return {
        "proven": of.proven,
        "attempts": of.attempts,
        "recorded": of.recorded,
        "answered": of.answered,
        "differences_ns": {str(each.kind): [each.median_ns, each.lower_ns, each.upper_ns] for each in differences},
        "late": 0 if of.findings is None else of.findings.tail.client,
        "early": 0 if of.findings is None else of.findings.tail.independent,
        "independent_p95_ns": _held_up_ns(of.measured),
        "long_delays_ns": {
            name: {
                "delayed": quantiles.nearest_rank([pair.client.delayed_ns for pair in long], q),
                "found": quantiles.nearest_rank([pair.client.measured_ns for pair in long], q) - overhead_ns,
            }
            for name, q in quantiles.PERCENTILES.items()
            if len(long) >= quantiles.needed(q, 0.95)
        },
    }


def _held_up_ns(measured: Sequence[PairedExchange]) -> int:
    """The 95th percentile of what an exchange costs the independent client, the long delays apart."""
    costs = [pair.independent.overhead_ns for pair in measured if kind_of(pair.set_ns) is not DelayKind.LONG]
    return quantiles.nearest_rank(costs, 0.95) if costs else 0


def _interval(values: Sequence[int]) -> tuple[float, float]:
    """Of their median; infinite where they are too few."""
    found = quantiles.bounds(Series(values), 0.5, _LEVEL)
    return found.lower, found.upper


def _at_least(successes: int, trials: int) -> float:
    """The probability of this many heads, or more, of a fair coin."""
    return float(Fraction(sum(math.comb(trials, each) for each in range(successes, trials + 1)), 2**trials))


def _signed(ns: float) -> str:
    return f"{ns / 1e6:+.3f}"
