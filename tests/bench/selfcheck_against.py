"""How often ``bench --against`` is wrong: the same code on both sides, and a server with a planted slowdown.

    python -m tests.bench.selfcheck_against --times 40 [--slower 50] [--blocks N] [FILTER]...

Without ``--slower`` both sides are this environment's server, and at most one run in 20 may say slower. With it, the
head is the same server behind a proxy that delays what the server sends, so that the median is by so many per cent
larger; the delay is set by what a first run measures. Takes minutes a run, so it is no test.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from web_terminal_suite.bench import pipeline
from web_terminal_suite.bench.analysis.comparison.judging import status
from web_terminal_suite.bench.terminals.installation import InstalledWebTerminal, current

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.analysis.comparison.results import RunComparison
    from web_terminal_suite.bench.terminals.terminal import Running


class Delayed(InstalledWebTerminal):
    """Our server behind a proxy of this process, which holds back every request for ``seconds``.

    A command line is one request, while its answer comes in several pieces.

    With 0 the proxy is there all the same, so that both sides of a comparison have one.
    """

    seconds = 0.0

    @asynccontextmanager
    async def launch(self) -> AsyncIterator[Running]:
        async with super().launch() as running:
            host, port = running.addresses[0].host, running.addresses[0].port
            tasks: set[asyncio.Task[None]] = set()

            async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
                while data := await reader.read(65536):
                    if delay:
                        await _pause(delay)
                    writer.write(data)
                    await writer.drain()
                writer.close()

            async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                there, back = await asyncio.open_connection(host, port)
                both = [carry(reader, back, self.seconds), carry(there, writer, 0.0)]
                tasks.update(asyncio.ensure_future(each) for each in both)

            server = await asyncio.start_server(accepted, "127.0.0.1", 0)
            try:
                proxy = server.sockets[0].getsockname()[1]
                yield replace(running, addresses=tuple(each._replace(port=proxy) for each in running.addresses))
            finally:
                server.close()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def _pause(seconds: float) -> None:
    """Sleep to within two milliseconds of the end, since the loop's clock has no finer ones, and spin for the rest."""
    end = time.perf_counter() + seconds
    if seconds > 0.003:
        await asyncio.sleep(seconds - 0.002)
    while time.perf_counter() < end:
        pass


def compared(options: pipeline.BenchOptions, seconds: float | None) -> RunComparison:
    """One run; with ``seconds`` both sides behind a proxy, and the head's requests held back for so long."""
    with tempfile.TemporaryDirectory() as home:
        planned = pipeline.plan_against(options, sys.prefix, Path(home))
    # Whether this machine lets known delays be found is another question, and stops runs of minutes when it is busy.
    plan = replace(planned.plan, proof=())
    if seconds is not None:
        here = current()
        assert here is not None, "run it with the Python that web-terminal is installed for"
        sides = {}
        for name, delay in ((planned.stages.base, 0.0), (planned.stages.head, seconds)):
            sides[name] = Delayed(here, name)
            sides[name].seconds = delay
        plan = replace(plan, terminals=tuple(sides.get(each.name, each) for each in plan.terminals))
    run = pipeline.run_against(replace(planned, plan=plan))
    (found,) = pipeline.compare(("run", run))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters", nargs="*")
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--slower", type=float, help="per cent of the median that requests are held back for")
    parser.add_argument("--blocks", type=int)
    given = parser.parse_args()
    options = pipeline.BenchOptions(filters=tuple(given.filters), blocks=given.blocks)
    seconds = None
    if given.slower is not None:
        medians = [row.base_value for row in compared(options, 0.0).rows if row.statistic == "p50" and row.unit == "ns"]
        seconds = statistics.median(each for each in medians if each) / 1e9 * given.slower / 100
        print(f"requests are held back for {seconds * 1e6:.0f} us", flush=True)
    ends: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    smallest: list[float] = []
    for number in range(1, given.times + 1):
        found = compared(options, seconds)
        ends[str(status((found,)))] += 1
        rows.update(str(row.change) for row in found.rows)
        noticed = [row.noticeable for row in found.rows if row.statistic == "p50" and row.noticeable is not None]
        smallest += noticed
        slower = [f"{row.new} {row.statistic} {row.ratio:.2f}" for row in found.rows if str(row.change) == "slower"]
        middle = f"{statistics.median(noticed):.2f}" if noticed else "-"
        print(f"{number}: {status((found,))}; noticeable p50 {middle}; {', '.join(slower)}", flush=True)
    print(f"{given.times} runs: {dict(ends)}; rows: {dict(rows)}")
    if smallest:
        print(f"half of the p50 rows would have noticed {statistics.median(smallest):.2f}x")


if __name__ == "__main__":
    main()
