"""Suite ``websocket_throughput`` on the real thing: each operation is what it says."""

from __future__ import annotations

import typing

import pytest
import pytest_asyncio

from tests.bench.operations import context_on, operated, readings
from web_terminal_suite.bench.suites.websocket_throughput import _WORKS, BENCHMARKS
from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.raw_pty import RawPty, local_pty
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal
from web_terminal_suite.bench.workload import streams
from web_terminal_suite.bench.workload.pipelining import framed
from web_terminal_suite.bench.workload.shells import ready_shell
from web_terminal_suite.client.errors import Violated
from web_terminal_suite.protocol import messages as m

BY_NAME = {benchmark.id.split("/")[1]: benchmark for benchmark in BENCHMARKS}
module = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running():
    async with WebTerminal().launch() as each:
        yield each


def test_targets_are_those_promised():
    throughput, per_core = BY_NAME["websocket_message_throughput"].facts.metrics
    rate, goal = throughput.targets["10000"], per_core.targets["10000"]
    assert (rate.statistic, rate.limit, rate.goal, rate.below) == ("rate", 10_000, None, False)
    assert (goal.statistic, goal.limit, goal.goal, goal.below) == ("level", None, 150_000, False)
    (ping,) = BY_NAME["websocket_round_trip_ping_pong"].facts.metrics
    assert (ping.targets["*"].statistic, ping.targets["*"].limit, ping.targets["*"].goal) == ("p95", 20e6, 0.5e6)


def test_every_message_of_both_sides_is_serialized_both_ways():
    kinds = {("client", m.kind(each)) for each in typing.get_args(m.ClientMessage)}
    kinds |= {("server", m.kind(each)) for each in typing.get_args(m.ServerMessage)}
    for way in ("encode", "decode"):
        assert {tuple(name.split()[:2]) for name in _WORKS if way in name} == kinds
    for name, work in _WORKS.items():
        _, kind, way, *_ = name.split()
        result = work()
        if way == "decode":
            assert m.kind(result) == kind, name
        else:
            assert result.payload, name


@module
async def test_a_sample_of_serialization_is_one_message(running):
    found = await operated(BY_NAME["websocket_message_serialization"], running, "client ping encode")
    # A batch of 200 takes longer than a microsecond; one message does not take a tenth of a millisecond.
    assert all(0 < sample.seen_ns - sample.sent_ns < 100_000 for sample in found.samples)


@module
@pytest.mark.parametrize("size", [0, 124, 125, 65_534, 65_535, 70_000])
async def test_frames_made_by_hand_are_frames(running, size):
    data = [bytes((number,)) * size for number in range(3)]
    async with running.connect() as connection:
        connection.send_framed(framed(connection.dialect.echo(each) for each in data))
        assert [reply.event.data for reply in await connection.replies(3)] == data


@module
@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("websocket_message_throughput", "10"),
        ("websocket_message_throughput", "1000"),
        ("websocket_latency_by_message_size", "64"),
        ("websocket_latency_by_message_size", "16384"),
        ("websocket_round_trip_ping_pong", ""),
        ("websocket_concurrent_messages", "10"),
        ("websocket_batch_processing", "10"),
        ("websocket_batch_processing", "500"),
    ],
)
async def test_operations_work_and_leave_nothing(running, name, parameter):
    assert len((await operated(BY_NAME[name], running, parameter)).samples) == 2


@module
async def test_a_rate_per_core_is_over_the_processor_time_of_the_server(running):
    before_ns = running.cpu_ns()
    found = await operated(BY_NAME["websocket_message_throughput"], running, "1000", times=5)
    spent_ns = running.cpu_ns() - before_ns
    rates = readings(found, "messages per second per core")
    assert len(rates) == 5
    # The server does a little more than what is between the readings.
    assert sum(1000 * 1e9 / rate for rate in rates) <= spent_ns


@module
async def test_what_needs_no_shell_has_the_null_server_as_its_floor():
    async with NullServer().launch() as floor:
        for benchmark in BENCHMARKS:
            if benchmark.facts.floor == floor.terminal.name:
                assert floor.terminal.can(benchmark.needs), benchmark.id
                await operated(benchmark, floor, benchmark.facts.parameters[0])


@module
@pytest.mark.parametrize("parameter", ["1MB text", "1MB binary"])
async def test_output_comes_whole_and_is_weighed(running, parameter):
    found = await operated(BY_NAME["pty_output_to_websocket_messages"], running, parameter)
    size = BY_NAME["pty_output_to_websocket_messages"].facts.elements[parameter]
    assert size == 1_000_000
    for messages, largest in zip(readings(found, "messages"), readings(found, "largest message"), strict=True):
        assert messages * largest >= size
    assert all(spent > 0 for spent in readings(found, "server CPU per MB"))


@module
async def test_the_floor_of_output_reads_the_same_bytes():
    async with RawPty().launch() as floor:
        for parameter in ("1MB text", "1MB binary"):
            await operated(BY_NAME["raw_pty_stream"], floor, parameter, times=1)


@pytest.mark.parametrize("make", [streams.text, lambda size: streams.binary(size // streams.MEGABYTE)])
def test_a_changed_missing_or_doubled_byte_is_noticed(make):
    stream = make(2 * streams.MEGABYTE)
    whole = (stream.block * (stream.size_bytes // len(stream.block) + 1))[: stream.size_bytes]
    stream.check(whole)
    for wrong in (whole[:-1], whole + b"x", whole[:-1] + b"\x00", whole[1:] + whole[:1]):
        with pytest.raises(Violated):
            stream.check(wrong)


@module
async def test_output_that_is_not_what_was_sent_for_is_a_failure(running):
    context = context_on(running)
    wrong = streams.Stream(b"y" * 10, 10, 10, "printf xxxxxxxxxx")
    async with ready_shell(context) as shell:
        with pytest.raises(Violated, match="not those"):
            await streams.receive(shell.connection, wrong, context.markers)
    with local_pty() as pty, pytest.raises(Violated, match="not those"):
        streams.receive_locally(pty, wrong, context.markers)
