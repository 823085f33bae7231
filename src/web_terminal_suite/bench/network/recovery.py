"""Whether a network does what was set: measured before a run, which is refused where it is not recovered.

Three measurements, each against an echo in this process: exchanges of one segment each way, whose delays follow from
the seed and are compared one by one; how many of them had a loss, next to the probability that was set; and how long a
stream takes. The first is done without a network too, directly and through the proxy: what the proxy itself costs.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.errors import RunFailed
from web_terminal_suite.bench.network.conditions import MS, NetworkConditions
from web_terminal_suite.bench.network.dialled import dialled
from web_terminal_suite.bench.network.link import HEADER_BYTES, SEGMENT_BYTES, TIMER_NS, Link
from web_terminal_suite.bench.stats import quantiles
from web_terminal_suite.bench.stats.proportion_intervals import clopper_pearson
from web_terminal_suite.bench.terminals.processes import LaunchFailed
from web_terminal_suite.client.address import Address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.network.conditions import Network
    from web_terminal_suite.bench.stats.interval import Interval

    _Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]

ATTEMPTS: Final = 5
"""A busy machine may be slow once."""
TOLERANCE_NS: Final = MS
"""Of the round trip. Out of sleep, four processes wake for each: client, proxy, terminal and proxy again."""
_RATE_TOLERANCE: Final = 0.05
_LEVEL: Final = 0.999
_PING: Final = b"x" * 64
_DIRECT_EXCHANGES: Final = 100
_EXCHANGES: Final = 64
_CONNECTIONS: Final = 8
_LOSS_CONNECTIONS: Final = 64
_LOSSES: Final = 10
"""Exchanges with a loss that are wanted, as far as this many exchanges give them:"""
_MOST_EXCHANGES: Final = 2_048
_STREAM_SECONDS: Final = 0.4
_STREAM_SEGMENTS: Final = (4, 3_000)
_SECONDS: Final = 60.0
"""Neither an exchange nor a stream takes longer; a guard."""


class NotRecovered(RunFailed):
    """A measurement through the network did not find what was set."""


@dataclass(frozen=True)
class Exchanges:
    """What single segments showed."""

    undisturbed_ns: int
    """A round trip as the network makes it: the one that was set, with the smallest of all errors."""
    median_ns: int
    """A round trip as this machine lets it be: with their median."""
    count: int
    lossy: int
    """Those that came so late that a segment of them was lost."""

    @property
    def loss(self) -> Interval:
        """Of the probability that a segment is lost, where there is a loss in either direction."""
        either = clopper_pearson(self.lossy, self.count, _LEVEL)
        lower, upper = (1 - (1 - share) ** 0.5 for share in (either.lower, either.upper))
        return replace(either, lower=lower, upper=upper)


@dataclass(frozen=True)
class Recovery:
    """What was measured of a network."""

    network: Network
    direct_ns: int
    """A round trip on the loopback, without the proxy: the median."""
    proxy_ns: int
    """The same through a proxy that hands on at once."""
    exchanges: Exchanges
    rate_bits: int
    """0 where none was set."""
    attempts: int

    def facts(self) -> dict[str, Any]:
        """What the record keeps, as plain values."""
        loss = self.exchanges.loss
        return {
            **network_facts(self.network),
            "direct_ns": self.direct_ns,
            "proxy_ns": self.proxy_ns,
            "undisturbed_ns": self.exchanges.undisturbed_ns,
            "median_ns": self.exchanges.median_ns,
            "exchanges": self.exchanges.count,
            "lossy": self.exchanges.lossy,
            "loss": [loss.lower, loss.upper],
            "rate_bits": self.rate_bits,
            "attempts": self.attempts,
        }

    def summary(self) -> str:
        """The outcome as one line."""
        conditions = self.network.conditions
        found = [f"a round trip takes {self.exchanges.median_ns / MS:.2f} ms, set were {conditions.rtt_ns / MS:g}"]
        if conditions.loss:
            bounds = f"{self.exchanges.loss.lower:.2%} to {self.exchanges.loss.upper:.2%}"
            found.append(f"{bounds} of segments are lost, set were {conditions.loss:.2%}")
        if self.rate_bits:
            found.append(f"{self.rate_bits / 1e6:.3g} Mbit/s, set were {conditions.rate_bits / 1e6:g}")
        cost = (self.proxy_ns - self.direct_ns) / MS
        return f"network {self.network}: {'; '.join(found)}; the proxy itself costs {cost:.2f} ms a round trip"

    def warnings(self) -> list[dict[str, str]]:
        """What a reader must know, as the machine's warnings say it; nothing where the median is what was set."""
        conditions = self.network.conditions
        error_ns = self.exchanges.median_ns - conditions.rtt_ns
        if abs(error_ns) <= TOLERANCE_NS:
            return []
        return [
            {
                "kind": "network",
                "seen": f"the machine made a round trip {error_ns / MS:.2f} ms longer than was set, at the median",
                "matters": "latencies through the network are longer likewise",
                "remedy": "stop other work and run again",
            }
        ]


def network_facts(network: Network) -> dict[str, Any]:
    """What a record says of the network it was made through, before anything was measured."""
    return {"conditions": str(network.conditions), "name": network.name}


async def recover(network: Network, seed: int) -> Recovery:
    """Measure the network until what was set is found.

    Raises:
        NotRecovered: not in ``ATTEMPTS`` attempts, or the proxy did not start.
    """
    try:
        async with echo_server() as address:
            return await _recovered(network, seed, address)
    except (LaunchFailed, OSError, TimeoutError) as error:
        raise NotRecovered(f"the network {network} cannot be measured: {str(error) or type(error).__name__}") from error


async def _recovered(network: Network, seed: int, echo: Address) -> Recovery:
    conditions = network.conditions
    direct_ns = await _direct(echo)
    async with dialled(echo, conditions=NetworkConditions(), seed=seed) as (clear,):
        proxy_ns = await _direct(clear)
    faults: list[str] = []
    exchanges, rate_bits = None, 0
    for attempt in range(ATTEMPTS):
        faults.clear()
        if exchanges is None:
            async with dialled(echo, conditions=conditions, seed=seed + attempt) as (distant,):
                found = await exchange_through(distant, conditions, seed + attempt)
            faults += exchange_faults(found, conditions)
            exchanges = None if faults else found
        if conditions.rate_bits and not rate_bits:
            steady = replace(conditions, jitter_ns=0, loss=0.0)
            async with dialled(echo, conditions=steady, seed=seed) as (distant,):
                bits = await stream_through(distant, conditions.rate_bits)
            fault = rate_fault(bits, conditions)
            faults += fault
            rate_bits = 0 if fault else bits
        if exchanges is not None and not faults:
            return Recovery(network, direct_ns, proxy_ns, exchanges, rate_bits, attempt + 1)
    raise NotRecovered(
        f"the network {network} is not recovered on this machine now: {'; '.join(faults)}; {ATTEMPTS} attempts; stop "
        "other work and run again"
    )


def exchange_faults(found: Exchanges, conditions: NetworkConditions) -> list[str]:
    """What single segments show that is not as set, each as a sentence's part."""
    faults = []
    if abs(found.undisturbed_ns - conditions.rtt_ns) > TOLERANCE_NS:
        faults.append(
            f"a round trip took {found.undisturbed_ns / MS:.2f} ms where {conditions.rtt_ns / MS:g} were set (at most "
            f"{TOLERANCE_NS / MS:g} ms apart)"
        )
    if not found.loss.lower <= conditions.loss <= found.loss.upper:
        faults.append(
            f"{found.lossy} of {found.count} exchanges had a loss, so between {found.loss.lower:.2%} and "
            f"{found.loss.upper:.2%} of segments are lost where {conditions.loss:.2%} were set"
        )
    return faults


def rate_fault(bits: int, conditions: NetworkConditions) -> list[str]:
    """Why a measured rate is not the one that was set; nothing where it is."""
    if abs(bits / conditions.rate_bits - 1) <= _RATE_TOLERANCE:
        return []
    return [
        f"{bits / 1e6:.3g} Mbit/s came through where {conditions.rate_bits / 1e6:g} were set (at most "
        f"{_RATE_TOLERANCE:.0%} apart)"
    ]


@asynccontextmanager
async def echo_server() -> AsyncIterator[Address]:
    """A server in this process that sends back what comes."""

    class _Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._transport = transport

        def data_received(self, data: bytes) -> None:
            self._transport.write(data)  # type: ignore[attr-defined]  # of a stream

    server = await asyncio.get_running_loop().create_server(_Echo, "127.0.0.1", 0)
    try:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()


@asynccontextmanager
async def _connected(address: Address) -> AsyncIterator[_Stream]:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def _exchange(stream: _Stream) -> tuple[int, int]:
    """When a segment was sent, and how long it took there and one back."""
    reader, writer = stream
    async with asyncio.timeout(_SECONDS):
        sent_ns = now_ns()
        writer.write(_PING)
        await reader.readexactly(len(_PING))
        return sent_ns, now_ns() - sent_ns


async def _direct(address: Address) -> int:
    """The median of exchanges one after the other."""
    async with _connected(address) as stream:
        taken = [(await _exchange(stream))[1] for _ in range(_DIRECT_EXCHANGES)]
    return quantiles.nearest_rank(taken, 0.5)


async def exchange_through(address: Address, conditions: NetworkConditions, seed: int) -> Exchanges:
    """Exchanges on several connections, each compared with what the seed says that it takes.

    The proxy at ``address``, in front of an echo, must not have had a connection before.
    """
    wanted, most = _EXCHANGES, _CONNECTIONS
    if conditions.loss:
        wanted = min(_MOST_EXCHANGES, max(_EXCHANGES, round(_LOSSES / (2 * conditions.loss))))
        most = _LOSS_CONNECTIONS
    # Exchanges of several connections share this process: they are at least half a millisecond apart.
    count = max(1, min(most, conditions.rtt_ns * 2 // MS))
    each = -(-wanted // count)
    async with AsyncExitStack() as stack:
        # One after the other, so that the proxy numbers them as they are numbered here.
        streams = [await stack.enter_async_context(_connected(address)) for _ in range(count)]
        found = await asyncio.gather(
            *(
                _on_one(stream, conditions, f"{seed}/{number}", each, number / count * conditions.rtt_ns / 1e9)
                for number, stream in enumerate(streams)
            )
        )
    pairs = [pair for of_one in found for pair in of_one]
    late_ns = conditions.rtt_ns + conditions.jitter_ns + TIMER_NS // 2
    errors = [taken - set_ns for taken, set_ns in pairs]
    # None can be shorter than was set, so the smallest error is the network's, and what others have more the machine's.
    undisturbed_ns, median_ns = conditions.rtt_ns + min(errors), conditions.rtt_ns + quantiles.nearest_rank(errors, 0.5)
    return Exchanges(undisturbed_ns, median_ns, len(pairs), sum(taken > late_ns for taken, _ in pairs))


async def _on_one(
    stream: _Stream, conditions: NetworkConditions, seed: str, count: int, later_seconds: float
) -> list[tuple[int, int]]:
    """What each exchange on a connection took, and what the seed says that it takes."""
    up, down = Link(conditions, f"{seed}/up"), Link(conditions, f"{seed}/down")
    up.handshake_ns()
    await asyncio.sleep(later_seconds)  # apart from the other connections
    found = []
    for number in range(count + 1):
        sent_ns, taken_ns = await _exchange(stream)
        back_ns = _alone(down, _alone(up, sent_ns))
        if number:  # the first waits for the handshake
            found.append((taken_ns, back_ns - sent_ns))
    return found


def _alone(link: Link, now_ns: int) -> int:
    """When a segment arrives that is sent now, and no other meanwhile."""
    link.send(_PING, now_ns)
    due_ns = link.next_due_ns()
    assert due_ns is not None  # it is on its way
    link.arrived(due_ns)
    return due_ns


async def stream_through(address: Address, rate_bits: int) -> int:
    """Bits a second of a stream to an echo and back, headers included, long enough for ``rate_bits``."""
    segment_bits = (SEGMENT_BYTES + HEADER_BYTES) * 8
    least, most = _STREAM_SEGMENTS
    segments = max(least, min(most, round(rate_bits * _STREAM_SECONDS / segment_bits)))
    size = segments * SEGMENT_BYTES
    async with _connected(address) as (reader, writer), asyncio.timeout(_SECONDS):
        await _exchange((reader, writer))
        writer.write(bytes(size))
        left, first_ns, first = size, 0, 0
        while left:
            data = await reader.read(left)
            if not data:
                raise OSError("the proxy hung up")
            left -= len(data)
            if not first_ns:
                first_ns, first = now_ns(), len(data)
        taken_ns = now_ns() - first_ns
    wire_bits = (size - first) * 8 * (SEGMENT_BYTES + HEADER_BYTES) / SEGMENT_BYTES
    return round(wire_bits * 1e9 / max(1, taken_ns))
