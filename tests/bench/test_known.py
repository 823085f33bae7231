"""The calibration: the arithmetic on made-up figures, and the whole way with real ones."""

from __future__ import annotations

import dataclasses
import itertools
import random
from contextlib import asynccontextmanager

import msgspec
import pytest

from tests.bench import naive
from web_terminal_suite.bench import calibration
from web_terminal_suite.bench.calibration import Agreement, Calibration, CalibrationFailed
from web_terminal_suite.bench.plan import Options, make_plan
from web_terminal_suite.bench.progress import NoProgress
from web_terminal_suite.bench.runner import NotProven, carry_out
from web_terminal_suite.bench.samples import Outcome, Sample
from web_terminal_suite.bench.suites.catalogue import CATALOGUE
from web_terminal_suite.bench.suites.floors import KNOWN_DELAY
from web_terminal_suite.bench.terminals.blocking_client import blocking_client
from web_terminal_suite.bench.terminals.delays import CLIENT_MARKS, INDEPENDENT_MARKS, DelayKind, delays_ns, kind_of
from web_terminal_suite.bench.terminals.reference_server import ReferenceServer
from web_terminal_suite.bench.terminals.registry import choose

SEED = 3
COUNT = 501


def at_rest(source: random.Random) -> int:
    return 20_000 + round(source.expovariate(1 / 10_000))


def next_to_busy_loops(source: random.Random) -> int:
    """A third of all exchanges wait for a processor."""
    return at_rest(source) + (source.randrange(100_000, 8_000_000) if source.random() < 0.35 else 0)


def measured(seed=SEED, count=COUNT, error=lambda ns: ns, late=at_rest, noise=1):
    """Samples of a client that is off by ``error``, on a machine that makes exchanges ``late``."""
    source, now_ns, found = random.Random(noise), 1_000_000_000, []
    for delay in itertools.islice(delays_ns(seed), count):
        stamps = []
        for _ in range(2):
            sent_ns = now_ns
            came_ns = sent_ns + 10_000
            answered_ns = came_ns + delay + source.randrange(20_000)
            seen_ns = answered_ns + late(source)
            stamps.append((sent_ns, came_ns, answered_ns, seen_ns))
            now_ns = seen_ns + 100_000
        (sent_ns, *truth, seen_ns), independent = stamps
        marks = dict(zip((*CLIENT_MARKS, *INDEPENDENT_MARKS), (*truth, *independent), strict=True))
        seen_ns = sent_ns + round(error(seen_ns - sent_ns))
        found.append(Sample(due_ns=sent_ns, sent_ns=sent_ns, seen_ns=seen_ns, marks=marks))
    return found


def outcome(**more) -> Calibration:
    """After as many attempts as it takes."""
    found = Calibration(SEED, ("echo",))
    while found.pending:
        found.take("echo", measured(noise=found.attempts, **more), 2 * COUNT)
    return found


def test_delays_repeat_with_their_seed():
    first = list(itertools.islice(delays_ns(1), 50))
    assert first == list(itertools.islice(delays_ns(1), 50))
    assert first != list(itertools.islice(delays_ns(2), 50))


def test_delays_are_of_all_kinds():
    kinds = [kind_of(each) for each in itertools.islice(delays_ns(1), COUNT)]
    assert all(kinds.count(kind) > 70 for kind in DelayKind)


def test_true_figures_are_recovered():
    found = outcome()
    facts = found.facts()
    assert (found.pending, found.attempts, found.warnings(), facts["unproven"]) == ((), 1, [], [])
    assert facts["by"]["echo"]["proven"]
    assert (facts["by"]["echo"]["recorded"], facts["by"]["echo"]["answered"]) == (COUNT, 2 * COUNT)
    long = facts["by"]["echo"]["long_delays_ns"]["p50"]
    assert long["found"] == pytest.approx(long["delayed"], abs=calibration.TOLERANCE_NS)


_counter = itertools.count(1)

ERRORS = {
    "20 ms too long": lambda ns: ns + 20_000_000,
    "0.2 ms late": lambda ns: ns + 200_000,
    "one in ten 2 ms late": lambda ns: ns + (2_000_000 if next(_counter) % 10 == 0 else 0),
    "3 % too long": lambda ns: ns * 1.03,
    "3 % too short": lambda ns: ns * 0.97,
    "too long": lambda ns: ns * 1.06,
    "too short": lambda ns: ns * 0.94,
    "whole milliseconds": lambda ns: -(-ns // 1_000_000) * 1_000_000,
    "rounded up to milliseconds": lambda ns: -(-ns // 1_000_000) * 1_000_000 + 500_000,
    "the tail cut off": lambda ns: min(ns, 9_000_000),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_wrong_figures_are_not(error):
    with pytest.raises(CalibrationFailed):
        outcome(error=error)


@pytest.mark.parametrize("noise", range(20))
def test_a_busy_machine_is_marked_and_never_taken_for_a_wrong_client(noise):
    found = Calibration(SEED, ("echo",))
    while found.pending:
        found.take("echo", measured(late=next_to_busy_loops, noise=100 * noise + found.attempts), 2 * COUNT)
    (warning,) = found.warnings()
    assert warning["seen"].startswith("the calibration was disturbed by the machine: ")
    assert "the independent client was held up" in warning["seen"]


def test_a_constant_error_is_seen_on_a_busy_machine_too():
    with pytest.raises(CalibrationFailed, match="this client measured, against an independent one"):
        outcome(late=next_to_busy_loops, error=lambda ns: ns + 20_000_000)


def test_attempts_are_told():
    found = Calibration(SEED, ("echo",))
    found.take("echo", measured(error=lambda ns: ns + 150_000), 2 * COUNT)
    assert found.pending == ("echo",)
    while found.pending:
        found.take("echo", measured(noise=2), 2 * COUNT)
    assert found.attempts > 1
    assert found.summary().startswith(f"calibrated at attempt {found.attempts} of 3: against an independent client")
    assert "attempt 1 by echo, against an independent client: +0.1" in found.warnings()[0]["seen"]
    assert found.facts()["attempts"] == found.attempts


def test_processors_without_idle_time_are_told():
    found = outcome()
    found.idle_share = 0.02
    (warning,) = found.warnings()
    assert "the processors were idle for 2% of the time" in warning["seen"]
    found.idle_share = 0.6
    assert found.warnings() == []


def test_an_exchange_that_failed_is_an_attempt_that_shows_nothing():
    found = Calibration(SEED, ("echo",))
    failed = msgspec.structs.replace(measured()[-1], outcome=Outcome.TIMEOUT, reason="no answer")
    found.take("echo", [*measured()[:-1], failed], 2 * COUNT)
    assert found.facts()["unproven"] == ["attempt 1 by echo: no answer"]
    for _ in range(2):
        found.take("echo", [failed], 2)
    assert found.pending == ()
    assert "not calibrated in 3 attempts" in found.warnings()[0]["seen"]


@pytest.mark.parametrize("lost", [[99, 199, 299, 399, 499], [COUNT - 1], [0]], ids=["every 100th", "last", "first"])
def test_a_sample_that_is_lost_is_missed(lost):
    kept = [each for place, each in enumerate(measured()) if place not in lost]
    with pytest.raises(CalibrationFailed, match=f"answered {2 * COUNT} requests of two clients, and {len(kept)} of"):
        Calibration(SEED, ("echo",)).take("echo", kept, 2 * COUNT)


def test_stamps_out_of_order_are_found_out():
    early = measured()
    early[7] = msgspec.structs.replace(early[7], seen_ns=early[7].marks["answered"] - 20_000)
    with pytest.raises(CalibrationFailed, match=r"seen before the server gave it, by 0\.020 ms"):
        calibration.pairs(SEED, early)
    late = measured()
    late[7] = msgspec.structs.replace(late[7], due_ns=late[7].marks["came"] + 20_000)
    with pytest.raises(CalibrationFailed, match=r"sent after the server had it, by 0\.020 ms"):
        calibration.pairs(SEED, late)


def test_a_terminal_that_does_not_wait_is_found_out():
    with pytest.raises(CalibrationFailed, match="set were"):
        calibration.pairs(SEED + 1, measured())


@pytest.mark.parametrize("count", [1, 2, 19, 20, 99, 100, 501])
def test_percentiles_are_those_of_the_definition(count):
    calibration.check_percentiles([each.seen_ns - each.due_ns for each in measured(count=count)])


def test_differences_are_medians_of_pairs():
    pairs = calibration.pairs(SEED, measured(late=next_to_busy_loops))
    findings = calibration.judge(pairs)
    for found in findings.differences:
        of_kind = [each.difference_ns for each in pairs if kind_of(each.set_ns) is found.kind]
        assert found.median_ns == naive.quantile(of_kind, "0.5")
        assert found.lower_ns <= found.median_ns <= found.upper_ns
    assert findings.tail.client == sum(each.difference_ns > 500_000 for each in pairs)
    assert findings.agreement is not Agreement.BROKEN


async def test_the_server_waits_as_long_as_it_is_told():
    async with ReferenceServer(9).launch() as running, running.connect() as connection:
        await connection.attach()
        for set_ns in itertools.islice(delays_ns(9), 20):
            sent_ns, reply = await connection.echo(b"x")
            assert reply.seen_ns - sent_ns >= set_ns
        with blocking_client(running.addresses[0], running.timeout) as independent:
            assert independent.count() == 20
            exchange = independent.echo(b"y")
            came_ns, answered_ns = independent.moments()
            assert exchange.sent_ns < came_ns <= answered_ns < exchange.seen_ns
            independent.type(b"printf '%s%s' ab cd\r", b"abcd")
            assert independent.count() == 22


async def proven(catalogue=CATALOGUE, terminal=ReferenceServer):
    """The proof of a run; the trials it recorded."""
    chosen = choose((), "", "", 5)
    terminals = [terminal(5) if isinstance(each, ReferenceServer) else each for each in chosen]
    plan = make_plan(catalogue, terminals, ["null_server/ping"], Options(seed=5, sample_size=10))
    plan = dataclasses.replace(plan, together=(), alone=())
    trials, calibrations = [], []
    try:
        await carry_out(plan, trials.append, NoProgress(), calibrated=calibrations.append)
    finally:
        assert {trial.cell.terminal for trial in trials} <= {"known", "null-server"}
    return trials, calibrations


def with_error(error):
    """The catalogue with a client that sees ``error(sample)`` on the reference server."""

    def wrong(benchmark):
        @asynccontextmanager
        async def prepare(context):
            async with benchmark.prepare(context) as operate:

                async def act():
                    return error(await operate())

                yield act

        return dataclasses.replace(benchmark, prepare=prepare)

    return [wrong(each) if each.id == KNOWN_DELAY else each for each in CATALOGUE]


async def test_a_run_keeps_how_it_was_calibrated():
    trials, (found,) = await proven()
    facts = found.facts()
    known = [trial for trial in trials if trial.cell.terminal == "known"]
    assert facts["attempts"] == max(trial.block for trial in known) + 1
    assert sum(each["recorded"] for each in facts["by"].values()) == sum(len(trial.samples) for trial in known)
    assert msgspec.json.decode(msgspec.json.encode(facts)) == facts


async def test_a_run_is_stopped_where_every_latency_is_too_long():
    catalogue = with_error(lambda each: msgspec.structs.replace(each, seen_ns=each.seen_ns + 20_000_000))
    with pytest.raises(NotProven, match=r"against an independent one, \+20\.\d"):
        await proven(catalogue)


async def test_a_run_is_stopped_where_the_delays_are_not_found():
    class Liar(ReferenceServer):
        """Waits by another list than it claims."""

        @property
        def command(self):
            return (*super().command[:-1], str(self.seed + 1))

    with pytest.raises(NotProven, match="set were"):
        await proven(terminal=Liar)
