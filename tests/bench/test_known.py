"""The terminal of known truth: the arithmetic on made-up figures, and the whole way with real ones."""

from __future__ import annotations

import itertools

import pytest

from web_terminal_suite.bench.plan import Options, make_plan
from web_terminal_suite.bench.progress import NoProgress
from web_terminal_suite.bench.runner import NotProven, carry_out
from web_terminal_suite.bench.suites.catalogue import CATALOGUE
from web_terminal_suite.bench.terminals.delays import delays_ns
from web_terminal_suite.bench.terminals.reference_server import Exchange, ReferenceServer, recoveries
from web_terminal_suite.bench.terminals.registry import choose

FLOOR = [100_000 + 100 * number for number in range(100)]


def exchanges(count=100, seed=3, error=lambda ns: ns):
    delays = list(itertools.islice(delays_ns(seed), count))
    return [Exchange(error(delay) + 105_000, delay) for delay in delays]


def test_delays_repeat_with_their_seed():
    first = list(itertools.islice(delays_ns(1), 50))
    assert first == list(itertools.islice(delays_ns(1), 50))
    assert first != list(itertools.islice(delays_ns(2), 50))


def test_true_figures_are_recovered():
    assert all(each.holds for each in recoveries(3, exchanges(), FLOOR))


@pytest.mark.parametrize(
    "error",
    [
        lambda ns: ns * 1.06,
        lambda ns: ns * 0.94,
        lambda ns: -(-ns // 1_000_000) * 1_000_000 + 500_000,
        lambda ns: min(ns, 9_000_000),
    ],
    ids=["too long", "too short", "rounded up to milliseconds", "the tail cut off"],
)
def test_wrong_figures_are_not(error):
    assert not all(each.holds for each in recoveries(3, exchanges(error=error), FLOOR))


def test_a_terminal_that_does_not_wait_is_found_out():
    with pytest.raises(ValueError, match="set were"):
        recoveries(4, exchanges(seed=3), FLOOR)


def test_nothing_measured_proves_nothing():
    with pytest.raises(ValueError, match="no exchange"):
        recoveries(3, [], FLOOR)


async def test_the_server_waits_as_long_as_it_is_told():
    async with ReferenceServer(9).launch() as running, running.connect() as connection:
        await connection.attach()
        for set_ns in itertools.islice(delays_ns(9), 20):
            sent_ns, reply = await connection.echo(b"x")
            assert reply.seen_ns - sent_ns >= set_ns


async def test_a_run_is_stopped_where_the_delays_are_not_found():
    class Liar(ReferenceServer):
        """Waits by another list than it claims."""

        @property
        def command(self):
            return (*super().command[:-1], str(self.seed + 1))

    terminals = [Liar(5) if isinstance(each, ReferenceServer) else each for each in choose((), "", "", 5)]
    plan = make_plan(CATALOGUE, terminals, ["null_server/ping"], Options(seed=5, sample_size=10))
    trials = []
    with pytest.raises(NotProven, match="set were"):
        await carry_out(plan, trials.append, NoProgress())
    assert {trial.cell.terminal for trial in trials} <= {"known", "null-server"}
