"""Where to dial a terminal through a network."""

from __future__ import annotations

import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.terminals.processes import LaunchFailed, started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.network.conditions import NetworkConditions
    from web_terminal_suite.client.address import Address

_READY_SECONDS: Final = 20.0


@asynccontextmanager
async def dialled(*addresses: Address, conditions: NetworkConditions, seed: int) -> AsyncIterator[tuple[Address, ...]]:
    """The addresses to dial in place of ``addresses``, in their order; those of one server share a proxy.

    Each connection has the network to itself. The same seed gives the same delays and losses to the same connections in
    the same order.

    Raises:
        LaunchFailed: the proxy does not start, or the connection is to be encrypted, which a proxy cannot take part in.
    """
    async with AsyncExitStack() as stack:
        ports: dict[tuple[str, int], int] = {}
        for each in addresses:
            if each.secure:
                raise LaunchFailed(
                    f"a network cannot stand in front of https://{each.authority}/: its certificate is for that name; "
                    "name an http:// URL, such as one of the server itself behind its proxy"
                )
            place = (each.host, each.port)
            if place not in ports:
                process = await stack.enter_async_context(started(_command(each, conditions, seed), dict(os.environ)))
                ports[place] = int(await process.line("", _READY_SECONDS))
        yield tuple(each._replace(host="127.0.0.1", port=ports[each.host, each.port]) for each in addresses)


def _command(address: Address, conditions: NetworkConditions, seed: int) -> tuple[str, ...]:
    module = "web_terminal_suite.bench.network.proxy"
    network = () if conditions.is_clear else ("--network", str(conditions))
    return (sys.executable, "-m", module, address.authority, *network, "--seed", str(seed))
